#include "server/admin/admin_server.h"

#include <httplib.h>

#include <charconv>
#include <thread>
#include <utility>

namespace tokensim {

constexpr size_t kThreads = 4;
constexpr char kText[] = "text/plain; charset=utf-8";

class AdminServer::Impl {
 public:
  explicit Impl(AdminHandlers handlers) : handlers_(std::move(handlers)) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_.set_payload_max_length(1024);
    server_.set_read_timeout(5);
    server_.set_write_timeout(5);
    server_.set_keep_alive_timeout(2);
    // Without SO_REUSEPORT, which httplib sets by default: two servers must not share a port.
    server_.set_socket_options([](socket_t socket) {
      int on = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    });
    server_.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(handlers_.metrics(), "text/plain; version=0.0.4; charset=utf-8");
    });
    server_.Get("/livez", [](const httplib::Request&, httplib::Response& response) {
      response.set_content("ok\n", kText);
    });
    server_.Get("/readyz", [this](const httplib::Request&, httplib::Response& response) {
      const bool ready = handlers_.ready();
      response.status = ready ? 200 : 503;
      response.set_content(ready ? "ok\n" : "draining\n", kText);
    });
    server_.Get("/version", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(handlers_.version_json + "\n", "application/json");
    });
  }

  ~Impl() {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Start(const HostPort& address) {
    if (address.port == 0) {
      port_ = server_.bind_to_any_port(address.host);
    } else if (server_.bind_to_port(address.host, address.port)) {
      port_ = address.port;
    }
    if (port_ <= 0) {
      return absl::UnavailableError("cannot listen on " + address.host + ":" +
                                    std::to_string(address.port) + ": is the port in use?");
    }
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    // stop() before the loop runs would be lost.
    while (!server_.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return absl::OkStatus();
  }

  [[nodiscard]] int port() const { return port_; }

 private:
  const AdminHandlers handlers_;
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

AdminServer::AdminServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AdminServer::~AdminServer() = default;

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(const std::string& address,
                                                                AdminHandlers handlers) {
  const absl::StatusOr<HostPort> parsed = ParseHostPort(address);
  if (!parsed.ok()) return parsed.status();
  auto impl = std::make_unique<Impl>(std::move(handlers));
  if (absl::Status status = impl->Start(*parsed); !status.ok()) return status;
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(impl)));
}

int AdminServer::port() const { return impl_->port(); }

absl::StatusOr<HostPort> ParseHostPort(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon != std::string::npos && colon > 0) {
    HostPort out{address.substr(0, colon), 0};
    const char* begin = address.data() + colon + 1;
    const char* end = address.data() + address.size();
    const auto [parsed, error] = std::from_chars(begin, end, out.port);
    if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']') {
      out.host = out.host.substr(1, out.host.size() - 2);
    }
    if (begin != end && error == std::errc() && parsed == end && out.port >= 0 &&
        out.port <= 65'535) {
      return out;
    }
  }
  return absl::InvalidArgumentError("\"" + address + "\" is not an address: expected host:port");
}

bool IsLoopback(const HostPort& address) {
  return address.host == "localhost" || address.host == "::1" || address.host.starts_with("127.");
}

}  // namespace tokensim
