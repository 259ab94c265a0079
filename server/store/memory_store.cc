#include "server/store/memory_store.h"

#include <utility>

#include "server/base/error.h"

namespace tokensim {
namespace {

int64_t BytesOf(const SimulationRecord& record) {
  size_t bytes = record.spec->SpaceUsedLong();
  if (record.report != nullptr) bytes += record.report->SpaceUsedLong();
  return static_cast<int64_t>(bytes);
}

}  // namespace

absl::StatusOr<Store::Created> MemoryStore::Create(SimulationRecord record) {
  const int64_t bytes = BytesOf(record);
  const std::lock_guard lock(mutex_);
  if (!record.request_id.empty()) {
    const auto known = by_request_id_.find({record.name.tenant, record.request_id});
    if (known != by_request_id_.end()) {
      const SimulationRecord& first = entries_.at(known->second).record;
      if (first.request_digest != record.request_digest) return RequestIdReused(first);
      return Created{first, false};
    }
  }
  if (const auto taken = entries_.find(record.name); taken != entries_.end()) {
    return SimulationExists(taken->second.record);
  }
  if (!CanMakeRoom(1, bytes)) return Full(bytes);
  MakeRoom(1, bytes);
  record.order = ++last_order_;
  record.revision = 1;
  Insert(record, bytes);
  return Created{std::move(record), true};
}

absl::StatusOr<SimulationRecord> MemoryStore::Get(const SimulationName& name) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) return SimulationNotFound(name);
  return entry->second.record;
}

absl::StatusOr<SimulationRecord> MemoryStore::FindByRequestId(std::string_view tenant,
                                                              std::string_view request_id) {
  const std::lock_guard lock(mutex_);
  const auto known = by_request_id_.find({std::string(tenant), std::string(request_id)});
  if (known == by_request_id_.end()) return absl::NotFoundError("no such request_id");
  return entries_.at(known->second).record;
}

absl::StatusOr<SimulationRecord> MemoryStore::Update(const SimulationName& name,
                                                     const Change& change) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) return SimulationNotFound(name);
  SimulationRecord record = entry->second.record;
  if (absl::Status status = change(record); !status.ok()) return status;
  ++record.revision;
  Replace(entry->second, record);
  return record;
}

absl::Status MemoryStore::Delete(const SimulationName& name, const Check& check) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) return SimulationNotFound(name);
  if (check) {
    if (absl::Status status = check(entry->second.record); !status.ok()) return status;
  }
  Remove(entry);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<SimulationRecord>> MemoryStore::List(std::string_view tenant,
                                                                const RecordFilter& filter,
                                                                int64_t before_order, int limit) {
  std::vector<SimulationRecord> out;
  const std::lock_guard lock(mutex_);
  auto next = by_order_.lower_bound(before_order);
  while (next != by_order_.begin() && out.size() < static_cast<size_t>(limit)) {
    --next;
    if (next->second.tenant != tenant) continue;
    const SimulationRecord& record = entries_.at(next->second).record;
    if (!filter || filter(record)) out.push_back(record);
  }
  return out;
}

absl::StatusOr<std::vector<SimulationName>> MemoryStore::Unfinished() {
  std::vector<SimulationName> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [order, name] : by_order_) {
    if (!terminal_.contains(order)) out.push_back(name);
  }
  return out;
}

absl::StatusOr<std::map<SimulationState, int64_t>> MemoryStore::CountByState() {
  std::map<SimulationState, int64_t> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, entry] : entries_) ++out[entry.record.state];
  return out;
}

void MemoryStore::Insert(SimulationRecord record, int64_t bytes) {
  by_order_[record.order] = record.name;
  if (IsTerminal(record.state)) {
    terminal_.insert(record.order);
    terminal_bytes_ += bytes;
  }
  if (!record.request_id.empty()) {
    by_request_id_[{record.name.tenant, record.request_id}] = record.name;
  }
  bytes_ += bytes;
  const SimulationName name = record.name;
  entries_[name] = Entry{std::move(record), bytes};
}

void MemoryStore::Remove(Entries::iterator entry) {
  const SimulationRecord& record = entry->second.record;
  by_order_.erase(record.order);
  if (terminal_.erase(record.order) > 0) terminal_bytes_ -= entry->second.bytes;
  by_request_id_.erase({record.name.tenant, record.request_id});
  bytes_ -= entry->second.bytes;
  entries_.erase(entry);
}

void MemoryStore::Replace(Entry& entry, SimulationRecord record) {
  const int64_t bytes = BytesOf(record);
  // A result is kept even when nothing else can go: the run has been paid for. While room is made,
  // the entry still counts as it was, so that an ended one is not dropped to make room for itself.
  if (terminal_.erase(record.order) > 0) terminal_bytes_ -= entry.bytes;
  MakeRoom(0, bytes - entry.bytes);
  if (IsTerminal(record.state)) {
    terminal_.insert(record.order);
    terminal_bytes_ += bytes;
  }
  bytes_ += bytes - entry.bytes;
  entry.bytes = bytes;
  entry.record = std::move(record);
}

bool MemoryStore::Fits(int64_t records, int64_t bytes) const {
  return static_cast<int64_t>(entries_.size()) + records <= limits_.max_records &&
         bytes_ + bytes <= limits_.max_bytes;
}

bool MemoryStore::CanMakeRoom(int64_t records, int64_t bytes) const {
  return Fits(records - static_cast<int64_t>(terminal_.size()), bytes - terminal_bytes_);
}

void MemoryStore::MakeRoom(int64_t records, int64_t bytes) {
  while (!Fits(records, bytes) && !terminal_.empty()) {
    Remove(entries_.find(by_order_.at(*terminal_.begin())));
  }
}

absl::Status MemoryStore::Full(int64_t bytes) const {
  return StorageFull(limits_, bytes_ - terminal_bytes_ + bytes > limits_.max_bytes, bytes);
}

}  // namespace tokensim
