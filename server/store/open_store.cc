#include "server/store/open_store.h"

#include <cstdlib>
#include <filesystem>

#include "server/store/memory_store.h"
#include "server/store/sqlite_store.h"

namespace tokensim {
namespace {

namespace fs = std::filesystem;

constexpr char kMemory[] = "memory";
constexpr std::string_view kSqlite = "sqlite:";

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Its folder is there afterwards; if it had to be made it is this user's alone.
absl::Status MakeFolder(const fs::path& file) {
  const fs::path folder = file.parent_path();
  std::error_code error;
  if (folder.empty() || fs::is_directory(folder, error)) return absl::OkStatus();
  fs::create_directories(folder, error);
  if (!error) fs::permissions(folder, fs::perms::owner_all, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError("cannot make the folder " + folder.string() + ": " +
                                error.message());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenStore(const std::string& name,
                                                 const StoreLimits& limits) {
  if (name == kMemory) return std::make_unique<MemoryStore>(limits);
  const std::string path = name.starts_with(kSqlite) ? name.substr(kSqlite.size()) : "";
  // SQLite has names of its own for what is no file.
  if (path.empty() || path.starts_with(":") || path.starts_with("file:")) {
    return absl::InvalidArgumentError("unknown store '" + name +
                                      "'; known are memory and sqlite:PATH");
  }
  if (absl::Status bad = MakeFolder(path); !bad.ok()) return bad;
  auto opened = SqliteStore::Open(path, limits);
  if (opened.ok()) return *std::move(opened);
  const absl::Status& why = opened.status();
  if (!absl::IsFailedPrecondition(why)) return why;
  return absl::FailedPreconditionError(std::string(why.message()) +
                                       "; give this server another --store sqlite:PATH, or memory");
}

bool IsDurable(const std::string& store_name) { return store_name != kMemory; }

std::string DefaultStore() {
  std::string folder = Variable("STATE_DIRECTORY");
  if (folder.empty() && !Variable("XDG_STATE_HOME").empty()) {
    folder = Variable("XDG_STATE_HOME") + "/tokensim";
  }
  if (folder.empty() && !Variable("HOME").empty()) {
    folder = Variable("HOME") + "/.local/state/tokensim";
  }
  return folder.empty() ? kMemory : std::string(kSqlite) + folder + "/tokensimd.db";
}

}  // namespace tokensim
