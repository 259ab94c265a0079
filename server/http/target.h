// The target of an HTTP request: path and query, decoded and safe to use.
//
//   ParseTarget("/a%20b?x=1&y")   path "/a b", query {x: "1", y: ""}
//
// Paths are absolute and plain: "." and "..", empty segments, backslashes and control characters are
// refused, whether written or percent-encoded, so that a path never leaves a folder it is joined to. All
// is UTF-8, so that it can be told back.
// Errors: INVALID_ARGUMENT. Functions without state.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace tokensim::http {

struct Target {
  std::string path;  // "/" or "/a/b", perhaps with "/" at the end
  std::vector<std::pair<std::string, std::string>> query;

  // Of the first parameter of that name; null when there is none.
  [[nodiscard]] const std::string* Query(std::string_view name) const;
};

[[nodiscard]] absl::StatusOr<Target> ParseTarget(std::string_view target);
// Replaces %XX; nullopt when it is cut or not hexadecimal.
[[nodiscard]] std::optional<std::string> PercentDecode(std::string_view text);
[[nodiscard]] bool IsUtf8(std::string_view text);

}  // namespace tokensim::http
