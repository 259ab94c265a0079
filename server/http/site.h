// What is served at which path, and to whom.
//
//   /tokensim.v1.SERVICE/METHOD   the API (connect.h)
//   /v1/...                       results as files (downloads.h)
//   anything else                 the dashboard (static_files.h)
//
//   Site site(api, calls, {.web_dir = "clients/web/dist"});
//   HttpServer::Start(host, port, options, [&](auto exchange) { site.Serve(exchange); });
//
// A page of another site must not be able to use the server of somebody who looks at it: on loopback
// only requests that name this machine are answered (a name that resolves to 127.0.0.1 does not
// help), and other origins are let in by name only. Thread-safe; never blocks.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "server/http/connect.h"
#include "server/http/downloads.h"
#include "server/http/exchange.h"
#include "server/http/static_files.h"

namespace tokensim::http {

struct SiteOptions {
  std::filesystem::path web_dir;  // empty: no dashboard
  // Origins whose pages may use the API: "https://lab.example"; "*" is any.
  std::vector<std::string> allowed_origins;
  // Only requests to localhost and loopback addresses, and to these hosts, are answered.
  bool local_only = true;
  std::vector<std::string> allowed_hosts;
};

class Site {
 public:
  // `calls` reads files. Both outlive the site and its exchanges.
  Site(const Api& api, Executor& calls, SiteOptions options);

  void Serve(const std::shared_ptr<Exchange>& exchange) const;

 private:
  [[nodiscard]] bool IsHostAllowed(std::string_view host) const;
  [[nodiscard]] bool IsOriginAllowed(std::string_view origin) const;
  void ServeFile(const std::shared_ptr<Exchange>& exchange) const;

  const SiteOptions options_;
  const ConnectService connect_;
  const Downloads downloads_;
  const StaticFiles files_;
  Executor& calls_;
};

// "localhost:8080", "127.0.0.1", "[::1]:80": the host part names this machine.
[[nodiscard]] bool IsLocalHost(std::string_view host_header);

}  // namespace tokensim::http
