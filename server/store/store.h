// Where simulations are kept: what was accepted, its state and its result.
//
// Each method is one transaction: all of it happens or nothing, and a method that returned OK is
// not forgotten (for as long as the implementation promises: see it). Records are values; large
// parts (spec, report) are shared and immutable.
//
//   auto created = store.Create(record);
//   auto updated = store.Update(name, [](SimulationRecord& r) { r.state = ...; return OkStatus();
//   });
//
// Errors carry the reasons of docs/errors.md. Thread-safe; methods may block on I/O, so they are
// never called from a gRPC thread. Every implementation passes store_conformance_test.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/rpc/status.pb.h"
#include "server/base/clock.h"
#include "server/base/names.h"
#include "tokensim/v1/simulation.pb.h"

namespace tokensim {

using SimulationState = v1::Simulation::State;

struct SimulationRecord {
  SimulationName name;
  std::string uid;       // unique for ever
  int64_t order = 0;     // set by Create: grows from one record to the next
  int64_t revision = 0;  // set by the store: grows with each change of the record

  std::string request_id;      // of the call that created it; may be empty
  std::string request_digest;  // of that call's body
  std::map<std::string, std::string> labels;
  std::string spec_name;
  std::shared_ptr<const v1::Spec> spec;  // resolved; null only where List leaves it out
  std::string spec_digest;
  std::string engine_version;

  SimulationState state = v1::Simulation::PENDING;
  WallTime create_time{};
  WallTime start_time{};  // the epoch: not yet
  WallTime end_time{};
  WallTime update_time{};
  int32_t attempt = 0;    // runs begun
  v1::Progress progress;  // of the last run, once it ended
  std::string cancel_reason;
  google::rpc::Status error;                 // FAILED
  std::shared_ptr<const v1::Report> report;  // SUCCEEDED; with timelines
};

// SUCCEEDED, FAILED or CANCELLED.
[[nodiscard]] bool IsTerminal(SimulationState state);

// Decides whether a record is listed. An empty function: every record.
using RecordFilter = std::function<bool(const SimulationRecord&)>;

// What a store may hold. Ended simulations make room for new ones.
struct StoreLimits {
  int64_t max_records = 10'000;
  int64_t max_bytes = int64_t{2} << 30;  // of specs and reports, as the store keeps them
};

class Store {
 public:
  struct Created {
    SimulationRecord record;
    bool created = false;  // false: the record an earlier call with this request_id made
  };
  using Change = std::function<absl::Status(SimulationRecord&)>;
  using Check = std::function<absl::Status(const SimulationRecord&)>;

  virtual ~Store() = default;

  // Adds a record. With a request_id that is known in the tenant: returns the first call's record
  // when request_digest is equal, else INVALID_ARGUMENT REQUEST_ID_REUSED. ALREADY_EXISTS
  // SIMULATION_EXISTS when the name is taken. RESOURCE_EXHAUSTED STORAGE_FULL when there is no
  // room: ended simulations make room, the oldest first.
  virtual absl::StatusOr<Created> Create(SimulationRecord record) = 0;

  // NOT_FOUND SIMULATION_NOT_FOUND.
  virtual absl::StatusOr<SimulationRecord> Get(const SimulationName& name) = 0;

  // NOT_FOUND when no record of the tenant was made by `request_id`. A deleted record is forgotten
  // with its request_id.
  virtual absl::StatusOr<SimulationRecord> FindByRequestId(std::string_view tenant,
                                                           std::string_view request_id) = 0;

  // Applies `change` to a copy and keeps it when it returns OK; else the record stays and the error
  // is returned. Returns the record as kept. Name, order and request_id must not be changed.
  // `change` must not call the store.
  virtual absl::StatusOr<SimulationRecord> Update(const SimulationName& name,
                                                  const Change& change) = 0;

  // Removes the record when `check` (may be empty) returns OK.
  virtual absl::Status Delete(const SimulationName& name, const Check& check) = 0;

  // At most `limit` records of the tenant that pass the filter, newest first, with an order below
  // `before_order`. Specs and reports may be left out, also for the filter.
  virtual absl::StatusOr<std::vector<SimulationRecord>> List(std::string_view tenant,
                                                             const RecordFilter& filter,
                                                             int64_t before_order, int limit) = 0;

  // The names of all simulations that have not ended, oldest first: the work of a server that
  // starts.
  virtual absl::StatusOr<std::vector<SimulationName>> Unfinished() = 0;

  // How many records are in each state; states without any may be absent.
  virtual absl::StatusOr<std::map<SimulationState, int64_t>> CountByState() = 0;
};

// The errors every implementation returns.
[[nodiscard]] absl::Status SimulationNotFound(const SimulationName& name);
[[nodiscard]] absl::Status SimulationExists(const SimulationRecord& existing);
[[nodiscard]] absl::Status RequestIdReused(const SimulationRecord& first);
// No room for a spec of `bytes`, whatever is dropped; `by_bytes`: too many bytes, not records.
[[nodiscard]] absl::Status StorageFull(const StoreLimits& limits, bool by_bytes, int64_t bytes);

}  // namespace tokensim
