#include "server/session/resource.h"

#include "server/base/clock.h"
#include "server/base/copy_fields.h"

namespace tokensim {

namespace {

void SetSpec(const v1::Spec& spec, ResourceView view, v1::Simulation* out) {
  const int64_t rows = spec.workload().trace().rows().input_tokens_size();
  if (view == ResourceView::kFull || rows <= kMaxRowsShown) {
    *out->mutable_spec() = spec;
    return;
  }
  // Everything but the rows, which are not even copied.
  v1::Spec* shown = out->mutable_spec();
  CopyAllBut(spec, {"workload"}, shown);
  CopyAllBut(spec.workload(), {"trace"}, shown->mutable_workload());
  CopyAllBut(spec.workload().trace(), {"rows"}, shown->mutable_workload()->mutable_trace());
  out->set_omitted_trace_rows(rows);
}

}  // namespace

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
  out.set_spec_name(record.spec_name);
  if (view == ResourceView::kBasic) return out;
  SetSpec(*record.spec, view, &out);
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

}  // namespace tokensim
