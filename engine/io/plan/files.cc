#include "engine/io/plan/files.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace tokensim {
namespace {

namespace fs = std::filesystem;

bool IsBelow(const fs::path& path, const fs::path& dir) {
  const auto [dir_end, rest] = std::mismatch(dir.begin(), dir.end(), path.begin(), path.end());
  return dir_end == dir.end() && rest != path.end();
}

std::string WithoutQuotes(std::string_view message) {
  std::string out;
  bool quoted = false;
  for (size_t i = 0; i < message.size(); ++i) {
    if (message[i] == '\\' && quoted) {
      ++i;
    } else if (message[i] == '"') {
      quoted = !quoted;
      out += quoted ? "\"...\"" : "";
    } else if (!quoted) {
      out += message[i];
    }
  }
  return out;
}

}  // namespace

absl::StatusOr<fs::path> LocateFile(const TracePolicy& policy, const std::string& name,
                                    std::string_view kind, bool directory) {
  if (!policy.allow_paths) {
    return absl::InvalidArgumentError(
        kind == "trace file" ? "files are not read here; send the rows (the tokensim client does)"
                             : "files are not read here; send what is in them (the tokensim client "
                               "does)");
  }
  if (name.size() > 4096 || name.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("is not a path");
  }
  std::error_code error;
  const fs::path base = fs::weakly_canonical(policy.base_dir, error);
  if (error) return absl::NotFoundError("the directory of data files is not accessible");
  const fs::path path = fs::weakly_canonical(base / fs::path(name), error);
  const bool allowed = !error && (!policy.confine_to_base_dir || IsBelow(path, base));
  if (!allowed || !(directory ? fs::is_directory(path, error) : fs::is_regular_file(path, error))) {
    return absl::NotFoundError(
        policy.confine_to_base_dir
            ? absl::StrCat("no ", std::string(kind), " ", name, " in the server's data directory")
            : absl::StrCat(directory ? "no directory " : "no file ", path.string()));
  }
  return path;
}

std::string ReadError(const TracePolicy& policy, const fs::path& path, const std::string& name,
                      const absl::Status& status) {
  std::string message(status.message());
  if (!policy.confine_to_base_dir) return message;
  return WithoutQuotes(absl::StrReplaceAll(message, {{path.string(), name}}));
}

}  // namespace tokensim
