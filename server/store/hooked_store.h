// A Store that does what a test wants in between.
//
//   HookedStore store(inner);
//   store.before_update = [&](const SimulationName& name) { ... };  // also changes `inner`
//
// Hooks run on the thread that calls, before the call reaches the inner store. They are set before
// other threads use the store.
#pragma once

#include <functional>
#include <utility>

#include "server/store/store.h"

namespace tokensim {

class HookedStore final : public Store {
 public:
  explicit HookedStore(Store& inner) : inner_(inner) {}

  std::function<absl::Status(const SimulationName&)> before_update;  // an error ends the call
  std::function<absl::Status()> before_unfinished;

  absl::StatusOr<Created> Create(SimulationRecord record) override {
    return inner_.Create(std::move(record));
  }
  absl::StatusOr<SimulationRecord> Get(const SimulationName& name) override {
    return inner_.Get(name);
  }
  absl::StatusOr<SimulationRecord> FindByRequestId(std::string_view tenant,
                                                   std::string_view request_id) override {
    return inner_.FindByRequestId(tenant, request_id);
  }
  absl::StatusOr<SimulationRecord> Update(const SimulationName& name,
                                          const Change& change) override {
    if (before_update) {
      if (absl::Status failed = before_update(name); !failed.ok()) return failed;
    }
    return inner_.Update(name, change);
  }
  absl::Status Delete(const SimulationName& name, const Check& check) override {
    return inner_.Delete(name, check);
  }
  absl::StatusOr<std::vector<SimulationRecord>> List(std::string_view tenant,
                                                     const RecordFilter& filter,
                                                     int64_t before_order, int limit) override {
    return inner_.List(tenant, filter, before_order, limit);
  }
  absl::StatusOr<std::vector<SimulationName>> Unfinished() override {
    if (before_unfinished) {
      if (absl::Status failed = before_unfinished(); !failed.ok()) return failed;
    }
    return inner_.Unfinished();
  }
  absl::StatusOr<std::map<SimulationState, int64_t>> CountByState() override {
    return inner_.CountByState();
  }

 private:
  Store& inner_;
};

}  // namespace tokensim
