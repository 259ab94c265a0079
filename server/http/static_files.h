// The files of the dashboard: a folder that a web build wrote.
//
//   StaticFiles files("/usr/share/tokensim/web");
//   Response page = files.Serve(request);   // blocks: on an executor
//
// Files whose name holds a hash of their contents (assets/index-1a2B3c4D.js) are kept by browsers
// for ever, others are asked for again with their ETag. file.gz beside a file is sent to those who
// take gzip. A path without an extension that is no file is a view of the dashboard: it gets
// index.html. Nothing outside of the folder is ever sent, links included. Thread-safe.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "server/http/message.h"

namespace tokensim::http {

class StaticFiles {
 public:
  // Of a folder without index.html, "/" says how to build one. Files may change at any time.
  explicit StaticFiles(std::filesystem::path folder);

  // Of a GET or HEAD.
  [[nodiscard]] Response Serve(const Request& request) const;

 private:
  [[nodiscard]] Response SendFile(const std::filesystem::path& file, const Request& request) const;
  [[nodiscard]] bool Holds(const std::filesystem::path& file) const;

  const std::filesystem::path folder_;
};

// By the extension of a path; application/octet-stream for one that is not known.
[[nodiscard]] std::string_view MediaTypeOf(std::string_view path);
// Its name holds a hash: what it holds will never change.
[[nodiscard]] bool IsHashed(std::string_view path);

}  // namespace tokensim::http
