// The admin HTTP port: /metrics, /livez, /readyz, /version.
//
// For probes and Prometheus on a trusted network: plain HTTP, GET only, a few threads of its own,
// so that it answers when the RPC side is busy.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace tokensim {

struct AdminHandlers {
  std::function<std::string()> metrics;  // text format of Prometheus
  std::function<bool()> ready;           // false: 503
  std::string version_json;
};

class AdminServer {
 public:
  // Binds `address` (host:port; port 0: any) and serves. UNAVAILABLE when the port is in use;
  // INVALID_ARGUMENT when the address is not host:port.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(const std::string& address,
                                                            AdminHandlers handlers);
  ~AdminServer();  // stops
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  [[nodiscard]] int port() const;

 private:
  class Impl;
  explicit AdminServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// "host:port" in its parts; IPv6 hosts in brackets, as [::1]:80.
struct HostPort {
  std::string host;
  int port = 0;
};
[[nodiscard]] absl::StatusOr<HostPort> ParseHostPort(const std::string& address);
// Only this machine can reach it.
[[nodiscard]] bool IsLoopback(const HostPort& address);

}  // namespace tokensim
