#include "server/http/site.h"

#include <algorithm>
#include <utility>

namespace tokensim::http {
namespace {

// Without the port. IPv6 addresses are in brackets.
std::string_view HostOf(std::string_view header) {
  if (header.starts_with('[')) return header.substr(0, header.find(']') + 1);
  return header.substr(0, header.find(':'));
}

// A dotted address, not a name that begins like one.
bool IsLoopbackAddress(std::string_view host) {
  return host.starts_with("127.") &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

Response Preflight() {
  Response out;
  out.status = 204;
  out.headers = {{"Access-Control-Allow-Methods", "POST, GET"},
                 {"Access-Control-Allow-Headers",
                  "Content-Type, Connect-Protocol-Version, Connect-Timeout-Ms, X-User-Agent, "
                  "Authorization"},
                 {"Access-Control-Max-Age", "7200"}};
  return out;
}

Response MethodNotAllowed() {
  Response out = TextResponse(405, "use GET");
  out.headers.emplace_back("Allow", "GET, HEAD");
  return out;
}

Response Busy() {
  Response out = TextResponse(503, "too many calls are waiting");
  out.headers.emplace_back("Retry-After", "1");
  return out;
}

}  // namespace

bool IsLocalHost(std::string_view host_header) {
  const std::string_view host = HostOf(host_header);
  return EqualsIgnoreCase(host, "localhost") || host == "[::1]" || IsLoopbackAddress(host);
}

Site::Site(const Api& api, Executor& calls, SiteOptions options)
    : options_(std::move(options)),
      connect_(api),
      downloads_(api),
      files_(options_.web_dir),
      calls_(calls) {}

bool Site::IsHostAllowed(std::string_view host) const {
  if (!options_.local_only || IsLocalHost(host)) return true;
  return std::any_of(
      options_.allowed_hosts.begin(), options_.allowed_hosts.end(),
      [&](const std::string& allowed) { return EqualsIgnoreCase(allowed, HostOf(host)); });
}

bool Site::IsOriginAllowed(std::string_view origin) const {
  const auto& allowed = options_.allowed_origins;
  return !origin.empty() && (std::find(allowed.begin(), allowed.end(), origin) != allowed.end() ||
                             std::find(allowed.begin(), allowed.end(), "*") != allowed.end());
}

void Site::Serve(const std::shared_ptr<Exchange>& exchange) const {
  const Request& request = exchange->request();
  if (!IsHostAllowed(request.Header("host"))) {
    return exchange->Answer(TextResponse(
        421,
        "this server answers requests to localhost only; --http-allow-host names other hosts"));
  }
  const std::string_view origin = request.Header("origin");
  const bool other_origin = IsOriginAllowed(origin);
  if (!options_.allowed_origins.empty()) exchange->AlwaysSend("Vary", "Origin");
  if (other_origin) {
    exchange->AlwaysSend("Access-Control-Allow-Origin", std::string(origin));
    exchange->AlwaysSend("Access-Control-Expose-Headers", "Retry-After, ETag");
    if (request.method == "OPTIONS") return exchange->Answer(Preflight());
  }
  if (ConnectService::Owns(request.target.path)) return connect_.Serve(exchange);
  if (Downloads::Owns(request.target.path)) return downloads_.Serve(exchange);
  if (request.method != "GET" && request.method != "HEAD") {
    return exchange->Answer(MethodNotAllowed());
  }
  ServeFile(exchange);
}

void Site::ServeFile(const std::shared_ptr<Exchange>& exchange) const {
  const bool posted = calls_.TryPost([this, exchange] {
    try {
      exchange->Answer(files_.Serve(exchange->request()));
    } catch (const std::exception&) {
      exchange->Answer(TextResponse(500, "the file cannot be read"));
    }
  });
  if (!posted) exchange->Answer(Busy());
}

}  // namespace tokensim::http
