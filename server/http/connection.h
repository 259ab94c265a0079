// One connection of a client: reads a request, waits for its answer, and so on.
//
//   kIdle       nothing of a request has come
//   kReading    a request comes
//   kServing    it was handed over; an answer in parts may be under way
//   kAnswering  a whole answer is being written
//   kLingering  no more is sent; what still comes is thrown away, so that the client can read
//   kClosed
//
// Each state has a deadline, which the server checks a few times a second. Used on the I/O thread
// only: exchanges post to it.
#pragma once

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "server/base/clock.h"
#include "server/http/exchange.h"
#include "server/http/http_server.h"

namespace tokensim::http {

class Connection;

// What the connections of a server share.
struct ConnectionContext {
  HttpServerOptions options;
  Handler handler;
  std::map<Connection*, std::weak_ptr<Connection>> open;
  std::string date;  // as in a header
};

class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using Error = boost::system::error_code;

  // The context outlives the connection.
  Connection(Socket socket, ConnectionContext& context);
  void Start();
  // In place of Start: says that there are too many.
  void StartBusy();

  void CheckDeadline(SteadyTime now);
  // Ends when nothing is under way.
  void Drain();
  void Close();

 private:
  class Call;
  enum class State { kIdle, kReading, kServing, kAnswering, kLingering, kClosed };

  void Open();
  void SetState(State state, std::chrono::milliseconds timeout);
  void WaitForRequest(std::chrono::milliseconds timeout);
  // Calls OnReadable when something came, the end of the connection included.
  void Watch();
  void OnReadable(Error error);

  void ReadHeader();
  void OnHeader(Error error);
  void OnExpect(std::string_view expectation);
  void ReadBody();
  void OnReadError(Error error);
  void Dispatch();
  Request TakeRequest(std::string* bad);

  // An answer of this class; the connection ends after it.
  void RefuseRequest(int status, std::string_view text);

  // Of an Exchange. Calls that are not the current one are over.
  void Answer(const std::shared_ptr<Call>& call, Response response);
  void Begin(const std::shared_ptr<Call>& call, const Response& head,
             std::shared_ptr<PartListener> listener);
  void Write(const std::shared_ptr<Call>& call, std::string_view part);
  void End(const std::shared_ptr<Call>& call, std::string_view part);

  void AppendPart(std::string_view part);
  void Flush();
  void OnFlushed(const std::shared_ptr<Call>& call, Error error);
  void FinishAnswer();
  void Linger();

  Socket socket_;
  ConnectionContext& context_;
  State state_ = State::kIdle;
  SteadyTime deadline_ = SteadyTime::max();
  bool draining_ = false;
  bool watching_ = false;
  bool timed_out_ = false;

  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  bool keep_alive_ = false;
  bool chunks_ = false;     // the client understands chunks
  bool head_only_ = false;  // HEAD

  std::shared_ptr<Call> call_;  // of the request that is served
  std::string out_;             // to be written next
  std::string body_;            // after out_, of a whole answer
  std::string sending_;         // being written
  bool writing_ = false;
  std::array<char, 4096> scratch_;  // what is thrown away
};

}  // namespace tokensim::http
