#include "server/session/spec_check.h"

#include <string>
#include <utility>

#include "google/rpc/error_details.pb.h"
#include "server/base/error.h"

namespace tokensim {
namespace {

void Refuse(const std::string& field, const std::string& has, int64_t limit,
            PreparedSpec* prepared) {
  v1::Finding finding;
  finding.set_severity(v1::Finding::ERROR);
  finding.set_field(field);
  finding.set_reason(reason::kSpecInvalid);
  finding.set_message(has + "; this server allows at most " + std::to_string(limit));
  prepared->findings.push_back(std::move(finding));
  prepared->plan = nullptr;
}

}  // namespace

PreparedSpec PrepareForServer(const v1::Spec& spec, const SpecLimits& limits) {
  PreparedSpec prepared = PrepareSpec(spec, limits.traces);
  const int64_t requests = prepared.num_requests;
  const int64_t workers = prepared.num_workers;
  if (requests > limits.max_requests) {
    const bool timed = spec.workload().has_duration_seconds();
    const std::string count = std::to_string(requests);
    Refuse(timed ? "workload.duration_seconds" : "workload.num_requests",
           timed ? "means about " + count + " requests" : "is " + count, limits.max_requests,
           &prepared);
  }
  if (workers > limits.max_workers) {
    Refuse("workers", "is " + std::to_string(workers), limits.max_workers, &prepared);
  }
  return prepared;
}

absl::Status FindingsError(const std::vector<v1::Finding>& findings, const std::string& prefix) {
  std::vector<FieldViolation> violations;
  std::string reason;
  for (const v1::Finding& finding : findings) {
    if (finding.severity() != v1::Finding::ERROR) continue;
    const std::string field = finding.field().empty() ? prefix : prefix + "." + finding.field();
    if (violations.empty()) reason = finding.reason();
    if (reason != finding.reason() || reason.empty()) reason = reason::kSpecInvalid;
    violations.push_back({field, finding.message()});
  }
  if (violations.empty()) return absl::OkStatus();
  absl::Status invalid = InvalidFields(reason, violations, {{"field", violations[0].field}});
  if (reason != reason::kCatalogEntryNotFound) return invalid;
  absl::Status not_found(absl::StatusCode::kNotFound, invalid.message());
  invalid.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& bytes) { not_found.SetPayload(url, bytes); });
  google::rpc::ResourceInfo resource;
  resource.set_resource_type("tokensim.v1.Catalog");
  resource.set_resource_name(violations[0].field);
  resource.set_description(violations[0].description);
  AddDetail(resource, &not_found);
  return not_found;
}

}  // namespace tokensim
