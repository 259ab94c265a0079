#include "server/store/sqlite_database.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "server/base/error.h"

namespace tokensim {
namespace {

// Kept by one connection of one process: no shared memory, and no second server on the file. Two
// connections that write a WAL at once can damage it before SQLite 3.51.3.
constexpr char kSetUp[] =
    "PRAGMA locking_mode=EXCLUSIVE;"
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;"
    "PRAGMA mmap_size=0;"
    "PRAGMA journal_size_limit=67108864;";

// A disk that was full or away.
constexpr std::chrono::seconds kRetryAfter{5};

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& path,
                                                                     const std::string& vfs) {
  // SQLite would make it with the process's umask, and its WAL with the mode of the file.
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file >= 0) close(file);
  sqlite3* handle = nullptr;
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle, kFlags, vfs.empty() ? nullptr : vfs.c_str());
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(handle, path));
  if (code != SQLITE_OK) return database->Error(code);
  sqlite3_extended_result_codes(handle, 1);
  if (absl::Status failed = database->Execute(kSetUp); !failed.ok()) return failed;
  // A database that cannot have a WAL, as one in memory, keeps nothing.
  SqliteStatement mode(*database, "PRAGMA journal_mode");
  if (!mode.Next()) return mode.status();
  if (mode.Bytes(0) != "wal") {
    return absl::InvalidArgumentError(path + " is no file that can be kept: no write-ahead log");
  }
  return database;
}

SqliteDatabase::~SqliteDatabase() { sqlite3_close(handle_); }

absl::Status SqliteDatabase::Execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Error(code);
}

absl::Status SqliteDatabase::Error(int code) const {
  const std::string what = handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_);
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::FailedPreconditionError(path_ + " is in use by another process");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return MakeError(absl::StatusCode::kDataLoss, reason::kInternal, path_ + ": " + what);
    default:
      break;
  }
  const bool full = (code & 0xff) == SQLITE_FULL;
  absl::Status status =
      MakeError(full ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kUnavailable,
                full ? reason::kStorageFull : reason::kStoreUnavailable, path_ + ": " + what,
                full ? ErrorMetadata{{"limit", "disk"}, {"value", path_}, {"scope", "server"}}
                     : ErrorMetadata{});
  AddRetryInfo(kRetryAfter, &status);
  return status;
}

SqliteStatement::SqliteStatement(SqliteDatabase& database, std::string_view sql)
    : database_(database) {
  Check(sqlite3_prepare_v2(database_.handle(), sql.data(), static_cast<int>(sql.size()),
                           &statement_, nullptr));
}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(statement_); }

SqliteStatement& SqliteStatement::Check(int code) {
  if (code != SQLITE_OK && status_.ok()) status_ = database_.Error(code);
  return *this;
}

SqliteStatement& SqliteStatement::Bind(int parameter, int64_t value) {
  return status_.ok() ? Check(sqlite3_bind_int64(statement_, parameter, value)) : *this;
}

SqliteStatement& SqliteStatement::Bind(int parameter, std::string_view text) {
  if (!status_.ok()) return *this;
  return Check(sqlite3_bind_text64(statement_, parameter, text.data(), text.size(), SQLITE_STATIC,
                                   SQLITE_UTF8));
}

SqliteStatement& SqliteStatement::BindBlob(int parameter, std::string_view bytes) {
  if (!status_.ok()) return *this;
  // No pointer would be NULL, not an empty blob.
  return Check(sqlite3_bind_blob64(statement_, parameter, bytes.empty() ? "" : bytes.data(),
                                   bytes.size(), SQLITE_STATIC));
}

SqliteStatement& SqliteStatement::BindNull(int parameter) {
  return status_.ok() ? Check(sqlite3_bind_null(statement_, parameter)) : *this;
}

bool SqliteStatement::Next() {
  if (!status_.ok()) return false;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) Check(code);
  return false;
}

absl::Status SqliteStatement::Run() {
  while (Next()) {
  }
  return status_;
}

int64_t SqliteStatement::Integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view SqliteStatement::Bytes(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return {static_cast<const char*>(bytes), bytes == nullptr ? 0 : static_cast<size_t>(size)};
}

bool SqliteStatement::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

SqliteTransaction::SqliteTransaction(SqliteDatabase& database)
    : database_(database), status_(database.Execute("BEGIN IMMEDIATE")) {
  open_ = status_.ok();
}

SqliteTransaction::~SqliteTransaction() {
  // After some errors SQLite has rolled back by itself; then there is nothing to do.
  if (open_) (void)database_.Execute("ROLLBACK");
}

absl::Status SqliteTransaction::Commit() {
  absl::Status committed = database_.Execute("COMMIT");
  if (committed.ok()) open_ = false;
  return committed;
}

}  // namespace tokensim
