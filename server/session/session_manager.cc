#include "server/session/session_manager.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/base/version.h"
#include "google/rpc/error_details.pb.h"
#include "server/base/error.h"
#include "server/session/ids.h"
#include "server/session/report_parts.h"
#include "server/store/list_filter.h"

namespace tokensim {
namespace {

constexpr size_t kMaxLabels = 64;
constexpr size_t kMaxLabelBytes = 63;
constexpr size_t kMaxCancelReason = 1'000;
constexpr int32_t kDefaultPage = 50;
constexpr int32_t kMaxPage = 1'000;

// Precondition of a method on a simulation in this state.
absl::Status WrongState(const SimulationRecord& record, const char* reason,
                        const std::string& what) {
  const std::string& state = v1::Simulation::State_Name(record.state);
  absl::Status status = MakeError(absl::StatusCode::kFailedPrecondition, reason,
                                  record.name.ToString() + " is " + state + ": " + what,
                                  {{"name", record.name.ToString()}, {"state", state}});
  google::rpc::PreconditionFailure failure;
  auto* violation = failure.add_violations();
  violation->set_type("STATE");
  violation->set_subject(record.name.ToString());
  violation->set_description(what);
  AddDetail(failure, &status);
  return status;
}

}  // namespace

SessionManager::SessionManager(SessionOptions options, Store& store, Executor& executor,
                               const Clock& clock, SessionMetrics& metrics)
    : options_(std::move(options)),
      store_(store),
      clock_(clock),
      metrics_(metrics),
      watchers_(executor),
      runner_(options_.runner, store, plans_, watchers_, clock, metrics) {}

absl::Status SessionManager::Recover() {
  const auto unfinished = store_.Unfinished();
  if (!unfinished.ok()) return unfinished.status();
  for (const SimulationName& name : *unfinished) {
    const auto record = store_.Update(name, [this](SimulationRecord& found) {
      TakeUp(&found);
      return absl::OkStatus();
    });
    if (!record.ok()) return record.status();
    if (IsTerminal(record->state)) continue;
    // What was accepted is queued even if the queue has become shorter.
    runner_.Enqueue(Runner::Place(), name, record->uid);
  }
  return absl::OkStatus();
}

void SessionManager::TakeUp(SimulationRecord* found) const {
  // A server that shuts down leaves it PENDING: only one that was ended leaves it RUNNING.
  const bool crashed = found->state == v1::Simulation::RUNNING;
  const bool cancelled = found->state == v1::Simulation::CANCELLING;
  found->update_time = clock_.Now();
  found->state = cancelled ? v1::Simulation::CANCELLED : v1::Simulation::PENDING;
  if (crashed && found->attempt >= options_.max_attempts) {
    found->state = v1::Simulation::FAILED;
    found->error = ToRpcStatus(MakeError(absl::StatusCode::kInternal, reason::kAttemptsExhausted,
                                         "it was running each time the server ended, in " +
                                             std::to_string(found->attempt) + " attempts",
                                         {{"attempts", std::to_string(found->attempt)}}));
  }
  if (IsTerminal(found->state)) found->end_time = found->update_time;
}

absl::Status SessionManager::CheckParams(const CreateParams& params) const {
  if (params.spec == nullptr) return InvalidField("simulation.spec", "is required");
  if (!params.simulation_id.empty() && !IsResourceId(params.simulation_id)) {
    return InvalidField("simulation_id",
                        "must be lower-case letters, digits and '-', start with a letter, end "
                        "with a letter or digit, at most 63");
  }
  if (!params.request_id.empty() && !IsUuid(params.request_id)) {
    return InvalidField("request_id", "must be a UUID");
  }
  if (params.labels.size() > kMaxLabels) {
    return InvalidField("simulation.labels", "at most 64 labels");
  }
  for (const auto& [key, value] : params.labels) {
    if (key.empty() || key.size() > kMaxLabelBytes || value.size() > kMaxLabelBytes) {
      return InvalidField("simulation.labels", "keys and values are at most 63 bytes");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<v1::Simulation>> SessionManager::FindEarlier(
    const CreateParams& params, const std::string& tenant) {
  if (!params.request_id.empty()) {
    const auto first = store_.FindByRequestId(tenant, params.request_id);
    if (first.ok()) {
      if (first->request_digest != params.request_digest) return RequestIdReused(*first);
      const auto live = runner_.progress(first->uid);
      return ToResource(*first, live ? &*live : nullptr, ResourceView::kStandard);
    }
  }
  if (!params.simulation_id.empty()) {
    const auto taken = store_.Get({tenant, params.simulation_id});
    if (taken.ok()) return SimulationExists(*taken);
  }
  return std::optional<v1::Simulation>();
}

absl::StatusOr<v1::Simulation> SessionManager::Create(const CreateParams& params) {
  if (draining_) return Draining();
  absl::StatusOr<std::string> tenant = ParseParent(params.parent);
  if (!tenant.ok()) return tenant.status();
  if (absl::Status bad = CheckParams(params); !bad.ok()) return bad;
  auto earlier = FindEarlier(params, *tenant);
  if (!earlier.ok()) return earlier.status();
  if (*earlier) return **std::move(earlier);

  // A full queue refuses before the work of compiling.
  std::optional<Runner::Place> place = runner_.Reserve();
  if (!place) {
    return Overloaded("the queue is full", {{"limit", "max_queued_simulations"},
                                            {"value", std::to_string(options_.runner.max_queued)},
                                            {"scope", "server"}});
  }
  PreparedSpec prepared = PrepareForServer(*params.spec, options_.spec_limits);
  if (!prepared.ok()) return FindingsError(prepared.findings, "spec");

  SimulationRecord record;
  record.name = {*tenant, params.simulation_id.empty() ? NewSimulationId() : params.simulation_id};
  record.uid = NewUid();
  record.request_id = params.request_id;
  record.request_digest = params.request_digest;
  record.labels = params.labels;
  record.spec_name = prepared.resolved.name();
  record.spec = std::make_shared<const v1::Spec>(std::move(prepared.resolved));
  record.spec_digest = prepared.digest;
  record.engine_version = kEngineVersion;
  record.create_time = record.update_time = clock_.Now();
  if (params.validate_only) return ToResource(record, nullptr, ResourceView::kStandard);
  return Accept(std::move(record), *std::move(place), std::move(prepared.plan));
}

absl::StatusOr<v1::Simulation> SessionManager::Accept(SimulationRecord record, Runner::Place place,
                                                      std::shared_ptr<const Plan> plan) {
  absl::StatusOr<Store::Created> created = store_.Create(std::move(record));
  if (!created.ok()) return created.status();
  const SimulationRecord& kept = created->record;
  if (created->created) {
    metrics_.OnAccepted();
    plans_.Put(kept.uid, std::move(plan));
    runner_.Enqueue(std::move(place), kept.name, kept.uid);
  }
  return ToResource(kept, nullptr, ResourceView::kStandard);
}

absl::StatusOr<v1::Simulation> SessionManager::Get(const SimulationName& name, ResourceView view) {
  const auto record = store_.Get(name);
  if (!record.ok()) return record.status();
  const auto live = runner_.progress(record->uid);
  return ToResource(*record, live ? &*live : nullptr, view);
}

absl::StatusOr<ListPage> SessionManager::List(const ListParams& params) {
  absl::StatusOr<std::string> tenant = ParseParent(params.parent);
  if (!tenant.ok()) return tenant.status();
  if (params.page_size < 0) return InvalidField("page_size", "must be >= 0; 0: 50");
  absl::StatusOr<RecordFilter> filter = ParseListFilter(params.filter);
  if (!filter.ok()) return filter.status();
  const std::string query = *tenant + "|" + params.filter;
  int64_t before = std::numeric_limits<int64_t>::max();
  if (!params.page_token.empty()) {
    const absl::StatusOr<int64_t> order = ParsePageToken(params.page_token, query);
    if (!order.ok()) return order.status();
    before = *order;
  }
  const int32_t size = params.page_size == 0 ? kDefaultPage : std::min(params.page_size, kMaxPage);
  // One more than asked for tells whether there is a next page.
  const auto records = store_.List(*tenant, *filter, before, size + 1);
  if (!records.ok()) return records.status();
  ListPage page;
  for (const SimulationRecord& record : *records) {
    if (page.simulations.size() == static_cast<size_t>(size)) {
      page.next_page_token = MakePageToken((*records)[static_cast<size_t>(size) - 1].order, query);
      break;
    }
    const auto live = runner_.progress(record.uid);
    page.simulations.push_back(ToResource(record, live ? &*live : nullptr, ResourceView::kBasic));
  }
  return page;
}

absl::StatusOr<v1::Simulation> SessionManager::Cancel(const SimulationName& name,
                                                      const std::string& reason) {
  bool unchanged = false;
  const auto updated = store_.Update(name, [&](SimulationRecord& record) {
    unchanged = IsTerminal(record.state) || record.state == v1::Simulation::CANCELLING;
    if (unchanged) return absl::AbortedError("unchanged");
    const bool waiting = record.state == v1::Simulation::PENDING;
    record.state = waiting ? v1::Simulation::CANCELLED : v1::Simulation::CANCELLING;
    record.update_time = clock_.Now();
    if (waiting) record.end_time = record.update_time;
    record.cancel_reason = reason.substr(0, kMaxCancelReason);
    return absl::OkStatus();
  });
  if (!updated.ok()) {
    if (unchanged) return Get(name);
    return updated.status();
  }
  if (updated->state == v1::Simulation::CANCELLED) metrics_.OnFinished(updated->state);
  runner_.Cancel(name, updated->uid);
  watchers_.Notify(name);
  return Get(name);
}

absl::Status SessionManager::Delete(const SimulationName& name, const std::string& etag,
                                    bool force) {
  const auto check = [&](const SimulationRecord& record) {
    if (!etag.empty() && etag != Etag(record)) {
      return MakeError(absl::StatusCode::kAborted, reason::kEtagMismatch,
                       name.ToString() + " has changed",
                       {{"name", name.ToString()}, {"etag", Etag(record)}});
    }
    if (!force && !IsTerminal(record.state)) {
      return WrongState(record, reason::kSimulationActive, "cancel it first, or set force");
    }
    return absl::OkStatus();
  };
  const auto found = store_.Get(name);
  if (!found.ok()) return found.status();
  if (absl::Status status = check(*found); !status.ok()) return status;
  if (!IsTerminal(found->state)) {
    // Cancelling changes the etag that was just compared.
    const auto cancelled = Cancel(name, "deleted");
    if (!cancelled.ok()) return cancelled.status();
    const absl::Status status = store_.Delete(name, {});
    watchers_.Notify(name);
    return status;
  }
  const absl::Status status = store_.Delete(name, check);
  watchers_.Notify(name);
  return status;
}

v1::Estimate SessionManager::Estimate(const v1::Spec& spec) const {
  return ToEstimate(PrepareForServer(spec, options_.spec_limits));
}

absl::StatusOr<std::shared_ptr<const v1::Report>> SessionManager::GetReport(
    const SimulationName& name) {
  const auto record = GetWithReport(name);
  if (!record.ok()) return record.status();
  return record->report;
}

absl::StatusOr<SimulationRecord> SessionManager::GetWithReport(const SimulationName& name) {
  auto record = store_.Get(name);
  if (record.ok() && record->report == nullptr) {
    return WrongState(*record, reason::kReportNotReady, "only a SUCCEEDED one has a report");
  }
  return record;
}

absl::StatusOr<ReportPart> SessionManager::GetReportPage(const SimulationName& name,
                                                         const std::string& page_token) {
  const auto record = GetWithReport(name);
  if (!record.ok()) return record.status();
  // A token is good for one report: the name may be taken again.
  const std::string query = "report|" + record->uid;
  int64_t position = 0;
  if (!page_token.empty()) {
    const absl::StatusOr<int64_t> parsed = ParsePageToken(page_token, query);
    if (!parsed.ok() || *parsed >= PositionsOf(*record->report)) {
      return InvalidField("page_token", "is not a token of this report");
    }
    position = *parsed;
  }
  ReportPart page;
  page.part = PartOf(*record->report, options_.report_page_bytes, &position);
  if (position > 0) page.next_page_token = MakePageToken(position, query);
  return page;
}

absl::StatusOr<std::unique_ptr<ReplayReader>> SessionManager::OpenReplay(
    const SimulationName& name, const ReplayOptions& options) {
  if (const auto bad = CheckReplayOptions(options)) return InvalidField(bad->field, bad->what);
  const auto record = store_.Get(name);
  if (!record.ok()) return record.status();
  if (record->state == v1::Simulation::FAILED || record->state == v1::Simulation::CANCELLED) {
    return WrongState(*record, reason::kStreamNotAvailable, "it has no events to stream");
  }
  if (record->engine_version != kEngineVersion) {
    return MakeError(absl::StatusCode::kFailedPrecondition, reason::kEngineVersionChanged,
                     "made by engine version " + record->engine_version + ", this is " +
                         kEngineVersion + ": its events might differ",
                     {{"engine_version", record->engine_version}});
  }
  absl::StatusOr<std::shared_ptr<const Plan>> plan = plans_.Get(*record);
  if (!plan.ok()) return plan.status();
  return std::make_unique<ReplayReader>(*std::move(plan), options);
}

Watchers::Handle SessionManager::Watch(const SimulationName& name, std::function<void()> notify) {
  return watchers_.Add(name, std::move(notify));
}

void SessionManager::Stop() {
  Drain();
  runner_.Stop();
}

}  // namespace tokensim
