// A Store in a file: what was accepted survives the process, and the machine.
//
// Create is on the disk when it returns (synchronous=FULL): accepted means committed, whatever happens
// then. Other changes survive the end of the process, however it comes, but those of the last moments
// may be lost when the machine loses its power (synchronous=NORMAL): a run is then computed again.
//
// Bounded in records and in stored bytes (specs and reports are compressed). When full, ended
// simulations are dropped, the oldest first; those that have not ended never are.
//
// One process has the file. It is of one schema version (PRAGMA user_version); a newer one is refused.
// Errors of the disk are UNAVAILABLE STORE_UNAVAILABLE and RESOURCE_EXHAUSTED STORAGE_FULL, both worth
// a retry; nothing of the call has happened then.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/store/message_cache.h"
#include "server/store/sqlite_database.h"
#include "server/store/store.h"

namespace tokensim {

class SqliteStore final : public Store {
 public:
  // Opens or creates the file; its folder exists. `vfs`: SQLite's; tests have their own.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const std::string& path,
                                                           const StoreLimits& limits,
                                                           const std::string& vfs = "");

  absl::StatusOr<Created> Create(SimulationRecord record) override;
  absl::StatusOr<SimulationRecord> Get(const SimulationName& name) override;
  absl::StatusOr<SimulationRecord> FindByRequestId(std::string_view tenant,
                                                   std::string_view request_id) override;
  absl::StatusOr<SimulationRecord> Update(const SimulationName& name,
                                          const Change& change) override;
  absl::Status Delete(const SimulationName& name, const Check& check) override;
  absl::StatusOr<std::vector<SimulationRecord>> List(std::string_view tenant,
                                                     const RecordFilter& filter,
                                                     int64_t before_order, int limit) override;
  absl::StatusOr<std::vector<SimulationName>> Unfinished() override;
  absl::StatusOr<std::map<SimulationState, int64_t>> CountByState() override;

 private:
  // What is stored, all of it and what has ended of it.
  struct Usage {
    int64_t records = 0;
    int64_t bytes = 0;
    int64_t ended_records = 0;
    int64_t ended_bytes = 0;
  };
  // A record without spec and report, and the bytes it is stored in.
  struct Row {
    SimulationRecord record;
    int64_t bytes = 0;
  };
  enum class Durability { kPowerLoss, kProcess };

  SqliteStore(std::unique_ptr<SqliteDatabase> database, const StoreLimits& limits);

  // All of them with mutex_ held; errors are SQLite's.
  absl::Status SetUp();
  absl::Status SetDurability(Durability durability);
  // NOT_FOUND when there is none. `condition`: of the WHERE clause, with ?1 and ?2.
  absl::StatusOr<Row> Find(std::string_view condition, std::string_view first,
                           std::string_view second);
  absl::Status LoadParts(SimulationRecord* record);
  absl::Status Insert(SimulationRecord* record, Usage* usage);
  absl::Status Write(const SimulationRecord& record, const Row& before, bool new_report,
                     Usage* usage);
  absl::Status Erase(int64_t order, Usage* usage);
  void GiveBack();
  // Drops ended simulations but `kept`, the oldest first, until there is room or none is left.
  absl::Status MakeRoom(int64_t records, int64_t bytes, int64_t kept, Usage* usage);
  [[nodiscard]] bool Fits(const Usage& usage, int64_t records, int64_t bytes) const;
  absl::StatusOr<Created> CreateLocked(SimulationRecord record);
  absl::StatusOr<SimulationRecord> UpdateLocked(const SimulationName& name, const Change& change);
  absl::Status DeleteLocked(const SimulationName& name, const Check& check);

  const StoreLimits limits_;
  std::mutex mutex_;  // guards all below
  std::unique_ptr<SqliteDatabase> database_;
  Durability durability_ = Durability::kPowerLoss;
  Usage usage_;
  MessageCache specs_;
  MessageCache reports_;
};

}  // namespace tokensim
