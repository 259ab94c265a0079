// SQLite behind C++: a connection and its statements.
//
//   auto opened = SqliteDatabase::Open("state.db");
//   SqliteDatabase& db = **opened;
//   SqliteTransaction transaction(db);                       // BEGIN IMMEDIATE
//   SqliteStatement insert(db, "INSERT INTO t VALUES (?, ?)");
//   insert.Bind(1, name).Bind(2, count);
//   if (absl::Status done = insert.Run(); !done.ok()) return done;
//   return transaction.Commit();                             // else rolled back
//
// Errors are those of the API: RESOURCE_EXHAUSTED STORAGE_FULL when the disk is full, UNAVAILABLE
// STORE_UNAVAILABLE for what else the disk does, DATA_LOSS when the file is damaged. FAILED_PRECONDITION:
// another process has the file. Thread-safety: none; the owner of the connection has a lock.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tokensim {

class SqliteDatabase {
 public:
  // Opens or creates the file, in WAL mode, for this process alone. `vfs`: empty for the default.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path,
                                                              const std::string& vfs = "");
  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  // One or more statements without results.
  absl::Status Execute(const std::string& sql);
  // What the last failed call means.
  [[nodiscard]] absl::Status Error(int code) const;
  [[nodiscard]] sqlite3* handle() { return handle_; }

 private:
  SqliteDatabase(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}

  sqlite3* const handle_;
  const std::string path_;
};

// A prepared statement. Parameters are numbered from 1, columns from 0. Texts and blobs that are
// bound must outlive the statement's run.
class SqliteStatement {
 public:
  SqliteStatement(SqliteDatabase& database, std::string_view sql);
  ~SqliteStatement();
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;

  SqliteStatement& Bind(int parameter, int64_t value);
  SqliteStatement& Bind(int parameter, std::string_view text);
  SqliteStatement& BindBlob(int parameter, std::string_view bytes);
  SqliteStatement& BindNull(int parameter);

  // True: there is a row. False: there is none, or an error; status() tells.
  [[nodiscard]] bool Next();
  [[nodiscard]] const absl::Status& status() const { return status_; }
  // To the end.
  absl::Status Run();

  [[nodiscard]] int64_t Integer(int column) const;
  // Valid until the next row.
  [[nodiscard]] std::string_view Bytes(int column) const;
  [[nodiscard]] bool IsNull(int column) const;

 private:
  SqliteStatement& Check(int code);

  SqliteDatabase& database_;
  sqlite3_stmt* statement_ = nullptr;
  absl::Status status_;
};

// All or nothing. Rolled back unless committed.
class SqliteTransaction {
 public:
  explicit SqliteTransaction(SqliteDatabase& database);
  ~SqliteTransaction();
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;

  // Of the begin.
  [[nodiscard]] const absl::Status& status() const { return status_; }
  absl::Status Commit();

 private:
  SqliteDatabase& database_;
  absl::Status status_;
  bool open_ = false;
};

}  // namespace tokensim
