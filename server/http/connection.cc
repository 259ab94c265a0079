#include "server/http/connection.h"

#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/write.hpp>

namespace tokensim::http {

namespace net = boost::asio;
namespace beast = boost::beast;

namespace {

constexpr std::chrono::milliseconds kNoTimeout = std::chrono::milliseconds::max();
constexpr std::chrono::milliseconds kLingerTimeout{2'000};
constexpr size_t kReadAheadBytes = 64 << 10;
// What the kernel holds for a reader that does not read; twice that by its own count.
constexpr int kSendBufferBytes = 256 << 10;

std::string Lower(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

// The Exchange of one request. Its methods run on the I/O thread: at once when called there, so that
// what the thread did comes before what others do because of it.
class Connection::Call final : public Exchange, public std::enable_shared_from_this<Call> {
 public:
  Call(std::shared_ptr<Connection> connection, Request request)
      : connection_(std::move(connection)),
        executor_(connection_->socket_.get_executor()),
        request_(std::move(request)) {}

  [[nodiscard]] const Request& request() const override { return request_; }
  [[nodiscard]] bool gone() const override { return gone_; }

  void AlwaysSend(std::string name, std::string value) override {
    always_.emplace_back(std::move(name), std::move(value));
  }
  void SetTimer(std::chrono::milliseconds delay, std::function<void()> expired) override {
    net::dispatch(executor_,
                  [self = shared_from_this(), delay, expired = std::move(expired)]() mutable {
                    if (self->connection_->call_ != self) return;
                    self->timer_.emplace(self->executor_, delay);
                    self->timer_->async_wait([expired = std::move(expired)](Error error) {
                      if (!error) expired();
                    });
                  });
  }
  void Answer(Response response) override {
    net::dispatch(executor_, [self = shared_from_this(), response = std::move(response)]() mutable {
      self->connection_->Answer(self, std::move(response));
    });
  }
  void Begin(Response head, std::shared_ptr<PartListener> listener) override {
    net::dispatch(executor_, [self = shared_from_this(), head = std::move(head),
                              listener = std::move(listener)]() mutable {
      self->connection_->Begin(self, head, std::move(listener));
    });
  }
  void Write(std::string part) override {
    net::dispatch(executor_, [self = shared_from_this(), part = std::move(part)] {
      self->connection_->Write(self, part);
    });
  }
  void End(std::string part) override {
    net::dispatch(executor_, [self = shared_from_this(), part = std::move(part)] {
      self->connection_->End(self, part);
    });
  }
  void Break() override {
    net::dispatch(executor_, [self = shared_from_this()] {
      if (self->connection_->call_ == self) self->connection_->Close();
    });
  }

 private:
  friend class Connection;

  const std::shared_ptr<Connection> connection_;
  const Socket::executor_type executor_;
  const Request request_;
  std::atomic<bool> gone_ = false;
  Headers always_;
  // Of the I/O thread.
  std::optional<net::steady_timer> timer_;
  std::shared_ptr<PartListener> listener_;  // from Begin to End
  bool begun_ = false;
  bool part_pending_ = false;
  bool ended_ = false;
};

Connection::Connection(Socket socket, ConnectionContext& context)
    : socket_(std::move(socket)),
      context_(context),
      buffer_(context.options.max_header_bytes + kReadAheadBytes) {}

void Connection::Open() {
  context_.open.emplace(this, weak_from_this());
  Error ignored;
  socket_.set_option(net::ip::tcp::no_delay(true), ignored);
  socket_.set_option(net::socket_base::keep_alive(true), ignored);
  socket_.set_option(net::socket_base::send_buffer_size(kSendBufferBytes), ignored);
}

void Connection::Start() {
  Open();
  WaitForRequest(context_.options.request_timeout);
}

void Connection::StartBusy() {
  Open();
  RefuseRequest(503, "too many connections; try again in a second");
}

void Connection::SetState(State state, std::chrono::milliseconds timeout) {
  state_ = state;
  deadline_ =
      timeout == kNoTimeout ? SteadyTime::max() : std::chrono::steady_clock::now() + timeout;
}

void Connection::CheckDeadline(SteadyTime now) {
  if (now < deadline_) return;
  deadline_ = SteadyTime::max();
  if (state_ != State::kReading) return Close();
  timed_out_ = true;
  Error ignored;
  socket_.cancel(ignored);  // OnReadError follows
}

void Connection::Drain() {
  draining_ = true;
  if (state_ == State::kIdle) Close();
}

void Connection::Close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  deadline_ = SteadyTime::max();
  const auto self = shared_from_this();
  context_.open.erase(this);
  Error ignored;
  socket_.close(ignored);
  const std::shared_ptr<Call> call = std::move(call_);
  if (call == nullptr) return;
  call->gone_ = true;
  call->timer_.reset();
  // A copy: the listener may end the answer, which drops it.
  if (const auto listener = call->listener_) listener->OnGone();
}

// Reading.

void Connection::WaitForRequest(std::chrono::milliseconds timeout) {
  SetState(State::kIdle, timeout);
  if (buffer_.size() > 0) return ReadHeader();  // it came with the one before
  Watch();
}

void Connection::Watch() {
  if (watching_) return;
  watching_ = true;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](Error error) {
    self->watching_ = false;
    self->OnReadable(error);
  });
}

void Connection::OnReadable(Error error) {
  if (error == net::error::operation_aborted) return;
  if (state_ == State::kIdle) return error ? Close() : ReadHeader();
  if (state_ != State::kServing) return;
  Error failed;
  const bool ended = socket_.available(failed) == 0 || failed || error;
  // Behind a request that is answered in parts nothing may come; behind others the next one may.
  if (ended || call_->begun_) Close();
}

void Connection::ReadHeader() {
  SetState(State::kReading, context_.options.request_timeout);
  parser_.emplace();
  parser_->header_limit(context_.options.max_header_bytes);
  parser_->body_limit(context_.options.max_body_bytes);
  beast::http::async_read_header(
      socket_, buffer_, *parser_,
      [self = shared_from_this()](Error error, size_t) { self->OnHeader(error); });
}

void Connection::OnHeader(Error error) {
  if (error) return OnReadError(error);
  const auto expectation = parser_->get()[beast::http::field::expect];
  if (!expectation.empty()) return OnExpect(View(expectation));
  ReadBody();
}

void Connection::OnExpect(std::string_view expectation) {
  if (!EqualsIgnoreCase(expectation, "100-continue")) {
    return RefuseRequest(417, "only 100-continue can be expected");
  }
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  net::async_write(socket_, net::buffer(kContinue),
                   [self = shared_from_this()](Error error, size_t) {
                     if (error) return self->OnReadError(error);
                     self->ReadBody();
                   });
}

void Connection::ReadBody() {
  if (parser_->is_done()) return Dispatch();
  beast::http::async_read(socket_, buffer_, *parser_,
                          [self = shared_from_this()](Error error, size_t) {
                            if (error) return self->OnReadError(error);
                            self->Dispatch();
                          });
}

void Connection::OnReadError(Error error) {
  using HttpError = beast::http::error;
  if (state_ == State::kClosed) return;
  if (timed_out_) return RefuseRequest(408, "the request took too long to come");
  static const auto& http = make_error_code(HttpError::bad_method).category();
  if (error.category() != http || error == HttpError::end_of_stream ||
      error == HttpError::partial_message) {
    return Close();  // the client went away
  }
  if (error == HttpError::header_limit || error == HttpError::buffer_overflow) {
    return RefuseRequest(431, "the header of the request is too large: at most " +
                                  std::to_string(context_.options.max_header_bytes) + " bytes");
  }
  if (error == HttpError::body_limit) {
    return RefuseRequest(413, "the body of the request is too large: at most " +
                                  std::to_string(context_.options.max_body_bytes) + " bytes");
  }
  if (error == HttpError::bad_version) return RefuseRequest(505, "HTTP/1.1 is spoken here");
  RefuseRequest(400, "not an HTTP request: " + error.message());
}

Request Connection::TakeRequest(std::string* bad) {
  auto message = parser_->release();
  parser_.reset();
  keep_alive_ = message.keep_alive();
  chunks_ = message.version() >= 11;
  head_only_ = message.method() == beast::http::verb::head;
  Request out;
  out.method = std::string(View(message.method_string()));
  for (const auto& field : message) {
    out.headers.emplace_back(Lower(View(field.name_string())), std::string(View(field.value())));
  }
  absl::StatusOr<Target> target = ParseTarget(View(message.target()));
  if (target.ok()) {
    out.target = *std::move(target);
  } else {
    *bad = std::string(target.status().message());
  }
  const auto hosts = message.count(beast::http::field::host);
  if (hosts > 1 || (hosts == 0 && chunks_)) *bad = "one Host header is needed";
  out.body = std::move(message.body());
  return out;
}

void Connection::Dispatch() {
  std::string bad;
  Request request = TakeRequest(&bad);
  if (!bad.empty()) return RefuseRequest(400, bad);
  call_ = std::make_shared<Call>(shared_from_this(), std::move(request));
  SetState(State::kServing, kNoTimeout);
  Watch();
  const std::shared_ptr<Call> call = call_;
  context_.handler(call);
}

// Answering.

void Connection::RefuseRequest(int status, std::string_view text) {
  keep_alive_ = false;
  call_ = std::make_shared<Call>(shared_from_this(), Request());
  state_ = State::kServing;
  Answer(call_, TextResponse(status, text));
}

void Connection::Answer(const std::shared_ptr<Call>& call, Response response) {
  if (call != call_ || state_ != State::kServing || call->begun_) return;
  if (context_.options.on_answer) context_.options.on_answer(response.status);
  if (draining_) keep_alive_ = false;
  const bool bodiless = response.status == 204 || response.status == 304;
  response.headers.insert(response.headers.end(), call->always_.begin(), call->always_.end());
  out_ = HeadOf(response, bodiless ? Framing::kNone : Framing::kLength, response.body.size(),
                keep_alive_, context_.date);
  if (!head_only_ && !bodiless) body_ = std::move(response.body);
  call->ended_ = true;
  SetState(State::kAnswering, context_.options.write_timeout);
  Flush();
}

void Connection::Begin(const std::shared_ptr<Call>& call, const Response& head,
                       std::shared_ptr<PartListener> listener) {
  if (call->begun_ || call->ended_) return;
  call->listener_ = std::move(listener);
  if (call != call_) return call->listener_->OnGone();
  if (context_.options.on_answer) context_.options.on_answer(head.status);
  call->begun_ = true;
  if (draining_ || !chunks_) keep_alive_ = false;
  Response with = head;
  with.headers.insert(with.headers.end(), call->always_.begin(), call->always_.end());
  out_ = HeadOf(with, chunks_ ? Framing::kChunked : Framing::kUntilClose, 0, keep_alive_,
                context_.date);
  Watch();  // it may have stopped at the next request
  Flush();
}

void Connection::AppendPart(std::string_view part) {
  if (part.empty() || head_only_) return;
  out_ += chunks_ ? ChunkOf(part) : std::string(part);
}

void Connection::Write(const std::shared_ptr<Call>& call, std::string_view part) {
  if (call->listener_ == nullptr) return;
  if (call != call_) return call->listener_->OnWritten(false);
  call->part_pending_ = true;
  AppendPart(part);
  Flush();
}

void Connection::End(const std::shared_ptr<Call>& call, std::string_view part) {
  call->listener_.reset();
  if (call != call_ || !call->begun_ || call->ended_) return;
  AppendPart(part);
  if (chunks_ && !head_only_) out_ += ChunkOf({});
  call->ended_ = true;
  if (draining_) keep_alive_ = false;
  SetState(State::kAnswering, context_.options.write_timeout);
  Flush();
}

void Connection::Flush() {
  if (writing_) return;
  writing_ = true;
  sending_.swap(out_);
  out_.clear();
  const std::array<net::const_buffer, 2> buffers = {net::buffer(sending_), net::buffer(body_)};
  // Asked after each piece that went out: as long as some do, the answer is not late.
  const auto progress = [this](Error error, size_t) -> size_t {
    if (state_ == State::kAnswering) SetState(state_, context_.options.write_timeout);
    return error ? 0 : kReadAheadBytes;
  };
  net::async_write(socket_, buffers, progress,
                   [self = shared_from_this(), call = call_](Error error, size_t) {
                     self->OnFlushed(call, error);
                   });
}

void Connection::OnFlushed(const std::shared_ptr<Call>& call, Error error) {
  writing_ = false;
  if (error) Close();
  const bool open = state_ != State::kClosed;
  if (open && !out_.empty()) return Flush();
  if (call->part_pending_) {
    call->part_pending_ = false;
    if (const auto listener = call->listener_) listener->OnWritten(open);
  }
  // Meanwhile the listener may have written more, ended, or cut the connection.
  if (call == call_ && call->ended_ && !writing_) FinishAnswer();
}

void Connection::FinishAnswer() {
  body_.clear();
  body_.shrink_to_fit();
  call_->timer_.reset();
  call_.reset();
  if (!keep_alive_ || draining_) return Linger();
  WaitForRequest(context_.options.idle_timeout);
}

void Connection::Linger() {
  if (state_ != State::kLingering) {
    SetState(State::kLingering, kLingerTimeout);
    Error ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
  }
  socket_.async_read_some(net::buffer(scratch_), [self = shared_from_this()](Error error, size_t) {
    if (self->state_ == State::kClosed) return;
    if (error) return self->Close();
    self->Linger();
  });
}

}  // namespace tokensim::http
