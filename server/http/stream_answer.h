// A stream of the API as an answer in parts: the thin shell around an OpenStream, as
// server/rpc/sink_reactor.h is over gRPC.
//
//   StreamAnswer<v1::EventBatch>::Serve(api.stream_events, exchange, read_request, format);
//
// It decides nothing. The exchange tells it on the I/O thread what became of a part; it passes that
// on and returns. The exchange keeps it until its end, the stream that writes to it for as long as
// that needs.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "server/api/call.h"
#include "server/http/connect_error.h"
#include "server/http/exchange.h"

namespace tokensim::http {

// How the messages of a stream are written. Used by one thread at a time.
template <typename Message>
class StreamFormat {
 public:
  virtual ~StreamFormat() = default;
  [[nodiscard]] virtual Response Head() const = 0;
  // True: the head goes out first, and any error is in the answer. False: an error before the first
  // message is an answer of its own.
  [[nodiscard]] virtual bool begins_at_once() const = 0;
  // Appends to what `part` holds. On an error the answer is cut.
  virtual absl::Status Encode(const Message& message, std::string* part) = 0;
  // What comes last; nullopt: the answer is cut, so that nobody takes it for the whole.
  virtual std::optional<std::string> Last(const absl::Status& status) = 0;
};

template <typename Message>
class StreamAnswer final : public StreamSink<Message>,
                           public PartListener,
                           public std::enable_shared_from_this<StreamAnswer<Message>> {
 public:
  using Format = std::unique_ptr<StreamFormat<Message>>;

  // `read` sets the request, on the executor: an error of it is the answer.
  template <typename Request>
  static std::shared_ptr<StreamAnswer> Serve(const StreamMethod<Request, Message>& method,
                                             std::shared_ptr<Exchange> exchange,
                                             std::function<absl::Status(Request*)> read,
                                             Format format) {
    auto answer = std::make_shared<StreamAnswer>(method, std::move(exchange), std::move(format));
    if (answer->format_->begins_at_once()) answer->Begin();
    const bool posted = method.environment.executor.TryPost(
        [&method, answer, read = std::move(read)] { answer->Open(method, read); });
    if (!posted) {
      answer->End(
          Overloaded("too many calls are waiting", {{"limit", "calls"}, {"scope", "server"}}));
    }
    return answer;
  }

  StreamAnswer(const MethodInfo& method, std::shared_ptr<Exchange> exchange, Format format)
      : guard_(method.metrics, method.environment.clock),
        exchange_(std::move(exchange)),
        format_(std::move(format)) {}

  // Ends the stream with `status`, soon.
  void Abort(const absl::Status& status) {
    {
      const std::lock_guard lock(mutex_);
      if (!note_) note_ = status;
    }
    if (const auto stream = OpenedStream()) stream->Abort(status);
  }

  // StreamSink, called by the stream.
  void Write(const Message& message) override {
    std::string part;
    const bool encoded = EncodeMessage(message, &part);
    Begin();
    if (!encoded) exchange_->Break();  // OnWritten(false) follows the Write
    exchange_->Write(std::move(part));
  }
  void End(const absl::Status& status) override {
    guard_.Finish(status.code());
    PlacedStream ended;
    {
      const std::lock_guard lock(mutex_);
      ended = std::move(placed_);
    }
    if (!begun_ && !status.ok()) return exchange_->Answer(ErrorResponse(status));
    Begin();
    std::optional<std::string> last = format_->Last(status);
    if (!last) exchange_->Break();
    exchange_->End(last.value_or(""));
  }
  void BreakWrite(const absl::Status&) override { exchange_->Break(); }

  // PartListener, called by the exchange.
  void OnWritten(bool ok) override {
    if (ok) guard_.OnMessageSent();
    if (const auto stream = OpenedStream()) stream->OnWriteDone(ok);
  }
  void OnGone() override { Abort(CallCancelled()); }

 private:
  void Begin() {
    if (begun_) return;
    begun_ = true;
    exchange_->Begin(format_->Head(), this->shared_from_this());
  }

  template <typename Request>
  void Open(const StreamMethod<Request, Message>& method,
            const std::function<absl::Status(Request*)>& read) {
    try {
      Request request;
      absl::Status bad = exchange_->gone() ? CallCancelled() : read(&request);
      if (!bad.ok()) return End(bad);
      auto opened = OpenPlaced<Request, Message>(method, request, this->shared_from_this());
      if (!opened.ok()) return End(opened.status());
      Start(*std::move(opened));
    } catch (...) {
      End(CaughtError());
    }
  }

  void Start(PlacedStream opened) {
    const std::shared_ptr<OpenStream> stream = opened.stream;
    std::optional<absl::Status> note;
    {
      const std::lock_guard lock(mutex_);
      placed_ = std::move(opened);
      note = note_;
    }
    if (note) stream->Abort(*note);
    stream->Start();
  }

  std::shared_ptr<OpenStream> OpenedStream() {
    const std::lock_guard lock(mutex_);
    return placed_.stream;
  }

  bool EncodeMessage(const Message& message, std::string* part) {
    try {
      return format_->Encode(message, part).ok();
    } catch (...) {
      return false;  // memory that is not there ends this stream only
    }
  }

  CallGuard guard_;
  const std::shared_ptr<Exchange> exchange_;
  const Format format_;
  bool begun_ = false;  // of whoever the stream calls from, one at a time
  std::mutex mutex_;
  PlacedStream placed_;               // empty before Start and after End; guarded by mutex_
  std::optional<absl::Status> note_;  // of an Abort; guarded by mutex_
};

}  // namespace tokensim::http
