#include "server/store/sqlite_store.h"

#include <algorithm>
#include <utility>

#include "server/base/error.h"
#include "server/store/record_codec.h"

namespace tokensim {
namespace {

constexpr int64_t kSchemaVersion = 1;
constexpr size_t kCachedSpecBytes = 64 << 20;
constexpr size_t kCachedReportBytes = 64 << 20;

// `ord` is the order of creation and never used again. Large columns are last, so that lists do not
// read through them.
constexpr char kSchema[] = R"(
PRAGMA auto_vacuum=INCREMENTAL;
BEGIN IMMEDIATE;
CREATE TABLE simulations (
  ord INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  request_id TEXT,
  request_digest BLOB NOT NULL,
  revision INTEGER NOT NULL,
  state INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  record BLOB NOT NULL,
  spec BLOB NOT NULL,
  report BLOB,
  UNIQUE (tenant, id)
) STRICT;
CREATE UNIQUE INDEX by_request_id ON simulations (tenant, request_id)
  WHERE request_id IS NOT NULL;
CREATE INDEX by_tenant ON simulations (tenant, ord);
CREATE INDEX by_ended ON simulations (ended, ord, bytes, state);
PRAGMA user_version=1;
COMMIT;
)";

constexpr char kColumns[] =
    "SELECT ord, revision, request_id, request_digest, bytes, record FROM simulations ";

absl::Status ReadRow(const SqliteStatement& row, SimulationRecord* record, int64_t* bytes) {
  if (absl::Status bad = DecodeRecord(row.Bytes(5), record); !bad.ok()) return bad;
  record->order = row.Integer(0);
  record->revision = row.Integer(1);
  record->request_id = std::string(row.Bytes(2));
  record->request_digest = std::string(row.Bytes(3));
  *bytes = row.Integer(4);
  return absl::OkStatus();
}

absl::Status NotThere() { return absl::NotFoundError("no such simulation"); }

}  // namespace

SqliteStore::SqliteStore(std::unique_ptr<SqliteDatabase> database, const StoreLimits& limits)
    : limits_(limits),
      database_(std::move(database)),
      specs_(kCachedSpecBytes),
      reports_(kCachedReportBytes) {}

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const std::string& path,
                                                               const StoreLimits& limits,
                                                               const std::string& vfs) {
  absl::StatusOr<std::unique_ptr<SqliteDatabase>> database = SqliteDatabase::Open(path, vfs);
  if (!database.ok()) return database.status();
  std::unique_ptr<SqliteStore> store(new SqliteStore(*std::move(database), limits));
  if (absl::Status bad = store->SetUp(); !bad.ok()) return bad;
  return store;
}

absl::Status SqliteStore::SetUp() {
  int64_t version = 0;
  {
    SqliteStatement asked(*database_, "PRAGMA user_version");
    if (!asked.Next()) return asked.status();
    version = asked.Integer(0);
  }
  if (version > kSchemaVersion) {
    return absl::FailedPreconditionError("the store has schema version " + std::to_string(version) +
                                         ", this release knows " + std::to_string(kSchemaVersion) +
                                         ": it was written by a newer tokensimd");
  }
  if (version == 0) {
    if (absl::Status made = database_->Execute(kSchema); !made.ok()) return made;
  }
  SqliteStatement sums(*database_,
                       "SELECT COUNT(*), IFNULL(SUM(bytes), 0), IFNULL(SUM(ended), 0), "
                       "IFNULL(SUM(ended * bytes), 0) FROM simulations");
  if (!sums.Next()) return sums.status();
  usage_ = {sums.Integer(0), sums.Integer(1), sums.Integer(2), sums.Integer(3)};
  return absl::OkStatus();
}

absl::Status SqliteStore::SetDurability(Durability durability) {
  if (durability == durability_) return absl::OkStatus();
  const bool full = durability == Durability::kPowerLoss;
  absl::Status set =
      database_->Execute(full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
  if (set.ok()) durability_ = durability;
  return set;
}

absl::StatusOr<SqliteStore::Row> SqliteStore::Find(std::string_view condition,
                                                   std::string_view first,
                                                   std::string_view second) {
  SqliteStatement found(*database_, std::string(kColumns) + std::string(condition));
  found.Bind(1, first).Bind(2, second);
  if (!found.Next()) return found.status().ok() ? NotThere() : found.status();
  Row row;
  if (absl::Status bad = ReadRow(found, &row.record, &row.bytes); !bad.ok()) return bad;
  return row;
}

absl::Status SqliteStore::LoadParts(SimulationRecord* record) {
  auto spec = std::static_pointer_cast<const v1::Spec>(specs_.Find(record->order));
  auto report = std::static_pointer_cast<const v1::Report>(reports_.Find(record->order));
  const bool has_report = record->state == v1::Simulation::SUCCEEDED;
  if (spec == nullptr || (has_report && report == nullptr)) {
    SqliteStatement parts(*database_, "SELECT spec, report FROM simulations WHERE ord = ?1");
    parts.Bind(1, record->order);
    if (!parts.Next()) return parts.status().ok() ? NotThere() : parts.status();
    auto read_spec = std::make_shared<v1::Spec>();
    if (absl::Status bad = DecompressMessage(parts.Bytes(0), read_spec.get()); !bad.ok())
      return bad;
    spec = std::move(read_spec);
    specs_.Put(record->order, spec);
    if (!parts.IsNull(1)) {
      auto read_report = std::make_shared<v1::Report>();
      if (absl::Status bad = DecompressMessage(parts.Bytes(1), read_report.get()); !bad.ok()) {
        return bad;
      }
      report = std::move(read_report);
      reports_.Put(record->order, report);
    }
  }
  record->spec = std::move(spec);
  record->report = std::move(report);
  return absl::OkStatus();
}

absl::StatusOr<Store::Created> SqliteStore::Create(SimulationRecord record) {
  const std::lock_guard lock(mutex_);
  return CreateLocked(std::move(record));
}

absl::StatusOr<Store::Created> SqliteStore::CreateLocked(SimulationRecord record) {
  if (absl::Status set = SetDurability(Durability::kPowerLoss); !set.ok()) return set;
  SqliteTransaction transaction(*database_);
  if (!transaction.status().ok()) return transaction.status();
  if (!record.request_id.empty()) {
    absl::StatusOr<Row> first =
        Find("WHERE tenant = ?1 AND request_id = ?2", record.name.tenant, record.request_id);
    if (first.ok()) {
      if (first->record.request_digest != record.request_digest) {
        return RequestIdReused(first->record);
      }
      if (absl::Status bad = LoadParts(&first->record); !bad.ok()) return bad;
      return Created{std::move(first->record), false};
    }
    if (!absl::IsNotFound(first.status())) return first.status();
  }
  const absl::StatusOr<Row> taken =
      Find("WHERE tenant = ?1 AND id = ?2", record.name.tenant, record.name.id);
  if (taken.ok()) return SimulationExists(taken->record);
  if (!absl::IsNotFound(taken.status())) return taken.status();
  Usage usage = usage_;
  record.revision = 1;
  if (absl::Status bad = Insert(&record, &usage); !bad.ok()) return bad;
  if (absl::Status bad = transaction.Commit(); !bad.ok()) return bad;
  const bool dropped = usage.records <= usage_.records;
  usage_ = usage;
  if (dropped) GiveBack();
  specs_.Put(record.order, record.spec);
  return Created{std::move(record), true};
}

absl::Status SqliteStore::Insert(SimulationRecord* record, Usage* usage) {
  const std::string small = EncodeRecord(*record);
  const std::string spec = CompressMessage(*record->spec);
  const auto bytes = static_cast<int64_t>(small.size() + spec.size());
  const Usage ended{usage->ended_records, usage->ended_bytes, 0, 0};
  const Usage without{usage->records - ended.records, usage->bytes - ended.bytes, 0, 0};
  if (!Fits(without, 1, bytes)) {
    return StorageFull(limits_, without.bytes + bytes > limits_.max_bytes, bytes);
  }
  if (absl::Status bad = MakeRoom(1, bytes, 0, usage); !bad.ok()) return bad;
  SqliteStatement insert(
      *database_,
      "INSERT INTO simulations (tenant, id, request_id, request_digest, revision, state, ended, "
      "bytes, record, spec) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
  insert.Bind(1, record->name.tenant).Bind(2, record->name.id);
  if (record->request_id.empty()) {
    insert.BindNull(3);
  } else {
    insert.Bind(3, record->request_id);
  }
  const bool ends = IsTerminal(record->state);
  insert.BindBlob(4, record->request_digest)
      .Bind(5, record->revision)
      .Bind(6, int64_t{record->state})
      .Bind(7, int64_t{ends})
      .Bind(8, bytes)
      .BindBlob(9, small)
      .BindBlob(10, spec);
  if (absl::Status bad = insert.Run(); !bad.ok()) return bad;
  record->order = sqlite3_last_insert_rowid(database_->handle());
  ++usage->records;
  usage->bytes += bytes;
  if (ends) ++usage->ended_records;
  if (ends) usage->ended_bytes += bytes;
  return absl::OkStatus();
}

absl::StatusOr<SimulationRecord> SqliteStore::Get(const SimulationName& name) {
  const std::lock_guard lock(mutex_);
  absl::StatusOr<Row> row = Find("WHERE tenant = ?1 AND id = ?2", name.tenant, name.id);
  if (absl::IsNotFound(row.status())) return SimulationNotFound(name);
  if (!row.ok()) return row.status();
  if (absl::Status bad = LoadParts(&row->record); !bad.ok()) return bad;
  return std::move(row->record);
}

absl::StatusOr<SimulationRecord> SqliteStore::FindByRequestId(std::string_view tenant,
                                                              std::string_view request_id) {
  const std::lock_guard lock(mutex_);
  absl::StatusOr<Row> row = Find("WHERE tenant = ?1 AND request_id = ?2", tenant, request_id);
  if (!row.ok()) return row.status();
  if (absl::Status bad = LoadParts(&row->record); !bad.ok()) return bad;
  return std::move(row->record);
}

absl::StatusOr<SimulationRecord> SqliteStore::Update(const SimulationName& name,
                                                     const Change& change) {
  const std::lock_guard lock(mutex_);
  return UpdateLocked(name, change);
}

absl::StatusOr<SimulationRecord> SqliteStore::UpdateLocked(const SimulationName& name,
                                                           const Change& change) {
  if (absl::Status set = SetDurability(Durability::kProcess); !set.ok()) return set;
  SqliteTransaction transaction(*database_);
  if (!transaction.status().ok()) return transaction.status();
  absl::StatusOr<Row> before = Find("WHERE tenant = ?1 AND id = ?2", name.tenant, name.id);
  if (absl::IsNotFound(before.status())) return SimulationNotFound(name);
  if (!before.ok()) return before.status();
  if (absl::Status bad = LoadParts(&before->record); !bad.ok()) return bad;
  SimulationRecord record = before->record;
  if (absl::Status refused = change(record); !refused.ok()) return refused;
  ++record.revision;
  const bool new_report = record.report != before->record.report;
  Usage usage = usage_;
  if (absl::Status bad = Write(record, *before, new_report, &usage); !bad.ok()) return bad;
  if (absl::Status bad = transaction.Commit(); !bad.ok()) return bad;
  usage_ = usage;
  if (new_report) reports_.Erase(record.order);
  if (new_report && record.report != nullptr) reports_.Put(record.order, record.report);
  return record;
}

absl::Status SqliteStore::Write(const SimulationRecord& record, const Row& before, bool new_report,
                                Usage* usage) {
  const std::string small = EncodeRecord(record);
  const std::string report =
      new_report && record.report != nullptr ? CompressMessage(*record.report) : std::string();
  const bool ended = IsTerminal(before.record.state);
  const bool ends = IsTerminal(record.state);
  const int64_t bytes = before.bytes + static_cast<int64_t>(report.size());
  // A result is kept even when nothing else can go: the run has been paid for.
  if (absl::Status bad = MakeRoom(0, bytes - before.bytes, record.order, usage); !bad.ok()) {
    return bad;
  }
  SqliteStatement update(
      *database_, std::string("UPDATE simulations SET revision = ?1, state = ?2, ended = ?3, ") +
                      "bytes = ?4, record = ?5" + (new_report ? ", report = ?7" : "") +
                      " WHERE ord = ?6");
  update.Bind(1, record.revision)
      .Bind(2, int64_t{record.state})
      .Bind(3, int64_t{ends})
      .Bind(4, bytes)
      .BindBlob(5, small)
      .Bind(6, record.order);
  if (new_report && record.report != nullptr) update.BindBlob(7, report);
  if (absl::Status bad = update.Run(); !bad.ok()) return bad;
  usage->bytes += bytes - before.bytes;
  usage->ended_records += int64_t{ends} - int64_t{ended};
  usage->ended_bytes += (ends ? bytes : 0) - (ended ? before.bytes : 0);
  return absl::OkStatus();
}

absl::Status SqliteStore::Delete(const SimulationName& name, const Check& check) {
  const std::lock_guard lock(mutex_);
  return DeleteLocked(name, check);
}

absl::Status SqliteStore::DeleteLocked(const SimulationName& name, const Check& check) {
  if (absl::Status set = SetDurability(Durability::kProcess); !set.ok()) return set;
  SqliteTransaction transaction(*database_);
  if (!transaction.status().ok()) return transaction.status();
  absl::StatusOr<Row> row = Find("WHERE tenant = ?1 AND id = ?2", name.tenant, name.id);
  if (absl::IsNotFound(row.status())) return SimulationNotFound(name);
  if (!row.ok()) return row.status();
  if (check) {
    if (absl::Status bad = LoadParts(&row->record); !bad.ok()) return bad;
    if (absl::Status refused = check(row->record); !refused.ok()) return refused;
  }
  Usage usage = usage_;
  if (absl::Status bad = Erase(row->record.order, &usage); !bad.ok()) return bad;
  if (absl::Status bad = transaction.Commit(); !bad.ok()) return bad;
  usage_ = usage;
  specs_.Erase(row->record.order);
  reports_.Erase(row->record.order);
  GiveBack();
  return absl::OkStatus();
}

// Pages that are not given back to the disk are used again.
void SqliteStore::GiveBack() { (void)database_->Execute("PRAGMA incremental_vacuum(1000)"); }

absl::Status SqliteStore::Erase(int64_t order, Usage* usage) {
  SqliteStatement erase(*database_,
                        "DELETE FROM simulations WHERE ord = ?1 RETURNING ended, bytes");
  erase.Bind(1, order);
  while (erase.Next()) {
    const int64_t bytes = erase.Integer(1);
    --usage->records;
    usage->bytes -= bytes;
    if (erase.Integer(0) == 0) continue;
    --usage->ended_records;
    usage->ended_bytes -= bytes;
  }
  return erase.status();
}

bool SqliteStore::Fits(const Usage& usage, int64_t records, int64_t bytes) const {
  return usage.records + records <= limits_.max_records && usage.bytes + bytes <= limits_.max_bytes;
}

absl::Status SqliteStore::MakeRoom(int64_t records, int64_t bytes, int64_t kept, Usage* usage) {
  while (!Fits(*usage, records, bytes)) {
    int64_t oldest = 0;
    {
      SqliteStatement find(*database_,
                           "SELECT ord FROM simulations WHERE ended = 1 AND ord <> ?1 "
                           "ORDER BY ord LIMIT 1");
      find.Bind(1, kept);
      if (!find.Next()) return find.status();
      oldest = find.Integer(0);
    }
    if (absl::Status bad = Erase(oldest, usage); !bad.ok()) return bad;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<SimulationRecord>> SqliteStore::List(std::string_view tenant,
                                                                const RecordFilter& filter,
                                                                int64_t before_order, int limit) {
  std::vector<SimulationRecord> out;
  const std::lock_guard lock(mutex_);
  SqliteStatement rows(*database_,
                       std::string(kColumns) + "WHERE tenant = ?1 AND ord < ?2 ORDER BY ord DESC");
  rows.Bind(1, tenant).Bind(2, before_order);
  while (out.size() < static_cast<size_t>(limit) && rows.Next()) {
    SimulationRecord record;
    int64_t bytes = 0;
    if (absl::Status bad = ReadRow(rows, &record, &bytes); !bad.ok()) return bad;
    if (!filter || filter(record)) out.push_back(std::move(record));
  }
  if (!rows.status().ok()) return rows.status();
  return out;
}

absl::StatusOr<std::vector<SimulationName>> SqliteStore::Unfinished() {
  std::vector<SimulationName> out;
  const std::lock_guard lock(mutex_);
  SqliteStatement rows(*database_,
                       "SELECT tenant, id FROM simulations WHERE ended = 0 ORDER BY ord");
  while (rows.Next()) out.push_back({std::string(rows.Bytes(0)), std::string(rows.Bytes(1))});
  if (!rows.status().ok()) return rows.status();
  return out;
}

absl::StatusOr<std::map<SimulationState, int64_t>> SqliteStore::CountByState() {
  std::map<SimulationState, int64_t> out;
  const std::lock_guard lock(mutex_);
  SqliteStatement rows(*database_, "SELECT state, COUNT(*) FROM simulations GROUP BY state");
  while (rows.Next()) out[static_cast<SimulationState>(rows.Integer(0))] = rows.Integer(1);
  if (!rows.status().ok()) return rows.status();
  return out;
}

}  // namespace tokensim
