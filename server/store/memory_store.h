// A Store in memory: lost when the process ends.
//
// Bounded in records and in bytes. When full, ended simulations are dropped, the oldest first;
// simulations that have not ended never are.
#pragma once

#include <mutex>
#include <set>

#include "server/store/store.h"

namespace tokensim {

class MemoryStore final : public Store {
 public:
  explicit MemoryStore(const StoreLimits& limits = {}) : limits_(limits) {}

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
  struct Entry {
    SimulationRecord record;
    int64_t bytes = 0;
  };
  using Entries = std::map<SimulationName, Entry>;
  using RequestKey = std::pair<std::string, std::string>;  // tenant, request_id

  // All of them with mutex_ held.
  void Insert(SimulationRecord record, int64_t bytes);
  void Remove(Entries::iterator entry);
  void Replace(Entry& entry, SimulationRecord record);
  [[nodiscard]] bool Fits(int64_t records, int64_t bytes) const;
  // Whether there would be room without any ended simulation.
  [[nodiscard]] bool CanMakeRoom(int64_t records, int64_t bytes) const;
  // Drops ended simulations, the oldest first, until there is room or none is left.
  void MakeRoom(int64_t records, int64_t bytes);
  [[nodiscard]] absl::Status Full(int64_t bytes) const;

  const StoreLimits limits_;
  std::mutex mutex_;  // guards all below
  Entries entries_;
  std::map<int64_t, SimulationName> by_order_;
  std::set<int64_t> terminal_;  // orders of ended simulations
  std::map<RequestKey, SimulationName> by_request_id_;
  int64_t last_order_ = 0;
  int64_t bytes_ = 0;
  int64_t terminal_bytes_ = 0;  // of them, of ended simulations
};

}  // namespace tokensim
