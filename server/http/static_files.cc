#include "server/http/static_files.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

namespace tokensim::http {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMaxFileBytes = 64 << 20;

constexpr char kNoDashboard[] =
    "tokensimd serves the TokenSim API here: POST /tokensim.v1.SERVICE/METHOD (docs/http.md).\n"
    "There is no dashboard: build it with `npm ci && npm run build` in clients/web, or name its "
    "folder\nwith --web-dir.";

// Scripts and connections only of our own; styles may be written into a page, as charts do.
constexpr char kContentSecurityPolicy[] =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

std::string ETagOf(const fs::path& file, std::error_code* error) {
  const auto size = fs::file_size(file, *error);
  if (*error) return "";
  const auto time = fs::last_write_time(file, *error).time_since_epoch().count();
  std::ostringstream out;
  out << '"' << std::hex << static_cast<uint64_t>(time) << '-' << size << '"';
  return out.str();
}

bool Read(const fs::path& file, std::string* out) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  if (!in) return false;
  *out = std::move(bytes).str();
  return true;
}

Response NotFound() { return TextResponse(404, "there is no such page"); }

}  // namespace

std::string_view MediaTypeOf(std::string_view path) {
  using Type = std::pair<std::string_view, std::string_view>;
  static constexpr std::array<Type, 16> kTypes = {{
      {"html", "text/html; charset=utf-8"},
      {"js", "text/javascript; charset=utf-8"},
      {"mjs", "text/javascript; charset=utf-8"},
      {"css", "text/css; charset=utf-8"},
      {"json", "application/json"},
      {"map", "application/json"},
      {"svg", "image/svg+xml"},
      {"png", "image/png"},
      {"jpg", "image/jpeg"},
      {"webp", "image/webp"},
      {"ico", "image/x-icon"},
      {"woff2", "font/woff2"},
      {"txt", kPlainText},
      {"webmanifest", "application/manifest+json"},
      {"wasm", "application/wasm"},
      {"yaml", "application/yaml"},
  }};
  const size_t dot = path.rfind('.');
  const std::string_view extension =
      dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  for (const auto& [name, type] : kTypes) {
    if (EqualsIgnoreCase(name, extension)) return type;
  }
  return "application/octet-stream";
}

bool IsHashed(std::string_view path) {
  constexpr size_t kHashLength = 8;  // as Vite writes it
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos) return false;
  // The hash may hold dashes itself; what counts is that eight characters precede the extension.
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot < kHashLength + 1) return false;
  const std::string_view hash = name.substr(dot - kHashLength, kHashLength);
  const bool plain = std::all_of(hash.begin(), hash.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_';
  });
  return plain && name[dot - kHashLength - 1] == '-';
}

StaticFiles::StaticFiles(fs::path folder) : folder_(std::move(folder)) {}

bool StaticFiles::Holds(const fs::path& file) const {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return false;
  const fs::path real = fs::canonical(file, error);
  if (error) return false;
  const fs::path root = fs::canonical(folder_, error);
  if (error) return false;
  return std::mismatch(root.begin(), root.end(), real.begin(), real.end()).first == root.end();
}

Response StaticFiles::Serve(const Request& request) const {
  const std::string& path = request.target.path;
  const fs::path index = folder_ / "index.html";
  if (folder_.empty() || !Holds(index)) {
    return path == "/" ? TextResponse(200, kNoDashboard) : NotFound();
  }
  if (path.back() == '/') return SendFile(index, request);
  const fs::path file = folder_ / path.substr(1);
  if (Holds(file)) return SendFile(file, request);
  if (!file.has_extension()) return SendFile(index, request);
  return NotFound();
}

Response StaticFiles::SendFile(const fs::path& file, const Request& request) const {
  fs::path sent = file;
  sent += ".gz";
  const bool compressed = ListContains(request.Header("accept-encoding"), "gzip") && Holds(sent);
  if (!compressed) sent = file;
  std::error_code error;
  const std::string etag = ETagOf(sent, &error);
  if (error || fs::file_size(sent, error) > kMaxFileBytes || error) return NotFound();
  Response out;
  const std::string name = file.filename().string();
  out.headers = {
      {"Content-Type", std::string(MediaTypeOf(name))},
      {"Cache-Control", IsHashed(name) ? "public, max-age=31536000, immutable" : "no-cache"},
      {"ETag", etag},
      {"Vary", "Accept-Encoding"},
      {"Content-Security-Policy", kContentSecurityPolicy},
      {"Referrer-Policy", "same-origin"}};
  if (compressed) out.headers.emplace_back("Content-Encoding", "gzip");
  if (ListContains(request.Header("if-none-match"), etag)) {
    out.status = 304;
    return out;
  }
  if (!Read(sent, &out.body)) return NotFound();
  return out;
}

}  // namespace tokensim::http
