#include "clients/cpp/error.h"

#include "absl/strings/str_cat.h"

namespace tokensim::client {

std::string Error::ToString() const {
  std::string out = absl::StatusCodeToString(code);
  if (!reason.empty()) absl::StrAppend(&out, " (", reason, ")");
  return absl::StrCat(out, ": ", message);
}

}  // namespace tokensim::client
