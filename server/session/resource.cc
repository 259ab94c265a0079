#include "server/session/resource.h"

#include <algorithm>

#include "server/base/clock.h"

namespace tokensim {

v1::Simulation ToResource(const SimulationRecord& record, const v1::Progress* live,
                          ResourceView view) {
  v1::Simulation out;
  out.set_name(record.name.ToString());
  out.set_uid(record.uid);
  out.set_state(record.state);
  *out.mutable_create_time() = ToTimestamp(record.create_time);
  *out.mutable_update_time() = ToTimestamp(record.update_time);
  if (record.start_time != WallTime{}) *out.mutable_start_time() = ToTimestamp(record.start_time);
  if (record.end_time != WallTime{}) *out.mutable_end_time() = ToTimestamp(record.end_time);
  if (IsTerminal(record.state)) {
    *out.mutable_progress() = record.progress;
  } else if (live != nullptr) {
    *out.mutable_progress() = *live;
  }
  if (record.state == v1::Simulation::FAILED) *out.mutable_error() = record.error;
  out.set_spec_digest(record.spec_digest);
  out.set_engine_version(record.engine_version);
  out.set_attempt(record.attempt);
  for (const auto& [key, value] : record.labels) (*out.mutable_labels())[key] = value;
  out.set_etag(Etag(record));
  out.set_cancel_reason(record.cancel_reason);
  if (view == ResourceView::kBasic) return out;
  *out.mutable_spec() = *record.spec;
  if (record.report != nullptr) {
    *out.mutable_report() = *record.report;
    for (v1::WorkerReport& worker : *out.mutable_report()->mutable_workers()) {
      worker.clear_timeline();
    }
  }
  return out;
}

std::string Etag(const SimulationRecord& record) {
  return '"' + std::to_string(record.revision) + '"';
}

v1::Progress ToProto(const Progress& progress, const Plan& plan) {
  v1::Progress out;
  out.set_requests_total(progress.total);
  out.set_requests_arrived(progress.arrived);
  out.set_requests_finished(progress.finished);
  out.set_simulated_seconds(ToSeconds(progress.now));
  out.set_events(progress.events);
  double fraction = progress.total > 0 ? static_cast<double>(progress.finished) /
                                             static_cast<double>(progress.total)
                                       : 0;
  if (plan.max_simulated_time != kNever && plan.max_simulated_time > 0) {
    fraction = std::max(
        fraction, static_cast<double>(progress.now) / static_cast<double>(plan.max_simulated_time));
  }
  if (plan.max_events > 0) {
    fraction = std::max(
        fraction, static_cast<double>(progress.events) / static_cast<double>(plan.max_events));
  }
  out.set_fraction(std::min(fraction, 1.0));
  return out;
}

}  // namespace tokensim
