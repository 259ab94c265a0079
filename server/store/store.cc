#include "server/store/store.h"

#include "google/rpc/error_details.pb.h"
#include "server/base/error.h"

namespace tokensim {
namespace {

void AddResource(const SimulationName& name, absl::Status* status) {
  google::rpc::ResourceInfo resource;
  resource.set_resource_type("tokensim.v1.Simulation");
  resource.set_resource_name(name.ToString());
  AddDetail(resource, status);
}

}  // namespace

bool IsTerminal(SimulationState state) {
  return state == v1::Simulation::SUCCEEDED || state == v1::Simulation::FAILED ||
         state == v1::Simulation::CANCELLED;
}

absl::Status SimulationNotFound(const SimulationName& name) {
  absl::Status status = MakeError(absl::StatusCode::kNotFound, reason::kSimulationNotFound,
                                  "no simulation " + name.ToString(), {{"name", name.ToString()}});
  AddResource(name, &status);
  return status;
}

absl::Status SimulationExists(const SimulationRecord& existing) {
  const std::string name = existing.name.ToString();
  absl::Status status =
      MakeError(absl::StatusCode::kAlreadyExists, reason::kSimulationExists, name + " exists",
                {{"name", name},
                 {"existing_request_id", existing.request_id},
                 {"spec_digest", existing.spec_digest}});
  AddResource(existing.name, &status);
  return status;
}

absl::Status RequestIdReused(const SimulationRecord& first) {
  return InvalidFields(
      reason::kRequestIdReused,
      {{"request_id", "was used with another body, which created " + first.name.ToString()}},
      {{"first_name", first.name.ToString()}});
}

absl::Status StorageFull(const StoreLimits& limits, bool by_bytes, int64_t bytes) {
  const int64_t limit = by_bytes ? limits.max_bytes : limits.max_records;
  absl::Status status = MakeError(
      absl::StatusCode::kResourceExhausted, reason::kStorageFull,
      by_bytes ? "the specs of simulations that have not ended leave no room for this one of " +
                     std::to_string(bytes) + " bytes"
               : "the server keeps as many simulations as it may, and none of them has ended",
      {{"limit", by_bytes ? "max_stored_bytes" : "max_stored_simulations"},
       {"value", std::to_string(limit)},
       {"scope", "server"}});
  AddRetryInfo(std::chrono::seconds(5), &status);
  return status;
}

}  // namespace tokensim
