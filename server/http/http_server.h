// An HTTP/1.1 server: one I/O thread, many connections, no thread that waits for a client.
//
//   auto server = HttpServer::Start({"127.0.0.1", 8080}, options, handler);
//   ...
//   (*server)->Drain(std::chrono::seconds(1));
//
// It reads requests whole, within limits of size and time, and hands each to the handler as an
// Exchange. Everything a client can do wrong is answered here: 400, 408, 413, 417, 431, 503, 505.
// Start, Drain and the destructor are for one thread; what exchanges do is thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/http/exchange.h"

namespace tokensim::http {

struct HttpServerOptions {
  int64_t max_connections = 512;  // more are answered with 503
  uint32_t max_header_bytes = 16 << 10;
  uint64_t max_body_bytes = 8 << 20;
  // From the first byte of a request to its last: a client that trickles is cut.
  std::chrono::milliseconds request_timeout{20'000};
  std::chrono::milliseconds idle_timeout{75'000};   // between requests
  std::chrono::milliseconds write_timeout{30'000};  // without progress of an answer
  std::function<void(int)> on_answer;               // the status of each answer; may be empty
};

class HttpServer {
 public:
  // Port 0: any. UNAVAILABLE when the port is in use or the host is unknown.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& host, int port,
                                                           HttpServerOptions options,
                                                           Handler handler);
  // Drains without waiting and joins the thread. Exchanges must not be used after it.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] int port() const;
  [[nodiscard]] int64_t connections() const;

  // Accepts no more; ends idle connections at once, others after their answer or, after `timeout`,
  // in the middle of it. Exchanges can still be used, in vain. Idempotent.
  void Drain(std::chrono::milliseconds timeout);

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tokensim::http
