#include "server/http/http_server.h"

#include <pthread.h>

#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <ctime>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "server/http/connection.h"

namespace tokensim::http {
namespace {

namespace net = boost::asio;
using Error = boost::system::error_code;
using Tcp = net::ip::tcp;

constexpr std::chrono::milliseconds kSweepPeriod{200};
constexpr std::chrono::milliseconds kAcceptBackOff{100};
// Connections beyond the limit that are told so; more are just closed.
constexpr int64_t kBusyConnections = 64;

std::string HttpDate() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 40> text{};
  const size_t size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), size};
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(HttpServerOptions options, Handler handler) {
    context_.options = std::move(options);
    context_.handler = std::move(handler);
    context_.date = HttpDate();
  }

  ~Impl() {
    Drain(std::chrono::milliseconds(0));
    net::post(io_, [this] {
      stopping_ = true;
      sweep_.cancel();
      back_off_.cancel();
    });
    work_.reset();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Start(const std::string& host, int port) {
    const std::string address = host + ":" + std::to_string(port);
    try {
      Tcp::resolver resolver(io_);
      const Tcp::endpoint endpoint = *resolver.resolve(host, std::to_string(port)).begin();
      acceptor_.open(endpoint.protocol());
      acceptor_.set_option(Tcp::acceptor::reuse_address(true));
      acceptor_.bind(endpoint);
      acceptor_.listen();
      port_ = acceptor_.local_endpoint().port();
    } catch (const boost::system::system_error& error) {
      return absl::UnavailableError("cannot listen on " + address + ": " + error.code().message());
    }
    Accept();
    Sweep();
    thread_ = std::thread([this] { Run(); });
    return absl::OkStatus();
  }

  void Drain(std::chrono::milliseconds timeout) {
    if (!thread_.joinable()) return;
    net::post(io_, [this] {
      draining_ = true;
      Error ignored;
      acceptor_.close(ignored);
      for (const auto& connection : Open()) connection->Drain();
    });
    std::unique_lock lock(mutex_);
    if (closed_.wait_for(lock, timeout, [this] { return drained_; })) return;
    lock.unlock();
    net::post(io_, [this] {
      for (const auto& connection : Open()) connection->Close();
    });
    lock.lock();
    closed_.wait(lock, [this] { return drained_; });
  }

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] int64_t connections() const { return count_; }

 private:
  void Run() {
    pthread_setname_np(pthread_self(), "http");
    while (true) {
      try {
        io_.run();
        return;
      } catch (const std::exception&) {
        // Memory that was not there for one step of one connection, which its deadline or its client
        // ends; the others go on.
      }
    }
  }

  void Accept() {
    acceptor_.async_accept([this](Error error, Tcp::socket socket) {
      if (!acceptor_.is_open()) return;
      if (!error) Add(std::move(socket));
      if (!error || error == net::error::connection_aborted) return Accept();
      // No descriptors are left: others may end meanwhile.
      back_off_.expires_after(kAcceptBackOff);
      back_off_.async_wait([this](Error cancelled) {
        if (!cancelled && acceptor_.is_open()) Accept();
      });
    });
  }

  void Add(Tcp::socket socket) {
    const auto count = static_cast<int64_t>(context_.open.size());
    if (count >= context_.options.max_connections + kBusyConnections) return;
    const auto connection = std::make_shared<Connection>(std::move(socket), context_);
    if (count < context_.options.max_connections) {
      connection->Start();
    } else {
      connection->StartBusy();
    }
    count_ = static_cast<int64_t>(context_.open.size());
  }

  void Sweep() {
    context_.date = HttpDate();
    const SteadyTime now = std::chrono::steady_clock::now();
    for (const auto& connection : Open()) connection->CheckDeadline(now);
    count_ = static_cast<int64_t>(context_.open.size());
    if (draining_ && count_ == 0) {
      const std::lock_guard lock(mutex_);
      drained_ = true;
      closed_.notify_all();
    }
    sweep_.expires_after(draining_ ? kSweepPeriod / 20 : kSweepPeriod);
    sweep_.async_wait([this](Error cancelled) {
      if (!cancelled && !stopping_) Sweep();
    });
  }

  std::vector<std::shared_ptr<Connection>> Open() {
    std::vector<std::shared_ptr<Connection>> out;
    for (const auto& [key, weak] : context_.open) {
      if (auto connection = weak.lock()) out.push_back(std::move(connection));
    }
    return out;
  }

  // Outlives the handlers that wait in io_, which hold connections.
  ConnectionContext context_;
  net::io_context io_{1};
  net::executor_work_guard<net::io_context::executor_type> work_ = net::make_work_guard(io_);
  Tcp::acceptor acceptor_{io_};
  net::steady_timer sweep_{io_};
  net::steady_timer back_off_{io_};
  bool draining_ = false;  // of the I/O thread, as the next
  bool stopping_ = false;
  int port_ = 0;
  std::atomic<int64_t> count_ = 0;
  std::mutex mutex_;
  std::condition_variable closed_;
  bool drained_ = false;  // guarded by mutex_
  std::thread thread_;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& host, int port,
                                                              HttpServerOptions options,
                                                              Handler handler) {
  auto impl = std::make_unique<Impl>(std::move(options), std::move(handler));
  if (absl::Status status = impl->Start(host, port); !status.ok()) return status;
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

int HttpServer::port() const { return impl_->port(); }
int64_t HttpServer::connections() const { return impl_->connections(); }
void HttpServer::Drain(std::chrono::milliseconds timeout) { impl_->Drain(timeout); }

}  // namespace tokensim::http
