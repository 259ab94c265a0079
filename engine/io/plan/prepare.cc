#include "engine/io/plan/prepare.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/digest.h"
#include "engine/io/plan/resolve.h"
#include "engine/run/request_table.h"
#include "engine/run/results.h"

namespace tokensim {
namespace {

void ResolveOutput(const Checker& check, v1::Output* output) {
  if (!output->has_snapshot_interval_seconds()) output->set_snapshot_interval_seconds(1);
  if (!output->has_timeline_points()) output->set_timeline_points(256);
  const double interval = output->snapshot_interval_seconds();
  constexpr double kShortest = 1e-6;
  if (check.NotNegative("snapshot_interval_seconds", interval, kMaxSimulatedSeconds) &&
      interval != 0 && interval < kShortest) {
    check.Error("snapshot_interval_seconds", "must be 0 (none) or at least 1us");
  }
  check.Range("timeline_points", output->timeline_points(), 2, 4'096);
}

void ResolveWindow(const Checker& check, const v1::Workload& workload, v1::ReportWindow* window) {
  if (!window->has_warm_up_seconds()) window->set_warm_up_seconds(0);
  const double start = window->warm_up_seconds();
  const bool good = check.NotNegative("warm_up_seconds", start, kMaxSimulatedSeconds);
  if (window->has_duration_seconds()) {
    check.Positive("duration_seconds", window->duration_seconds(), kMaxSimulatedSeconds);
  }
  if (good && workload.has_duration_seconds() && start >= workload.duration_seconds()) {
    check.Error("warm_up_seconds",
                "must be below workload.duration_seconds: no request would count");
  }
}

// How many requests a duration means is known when everything else is.
void CheckExpectedRequests(const Plan& plan, Findings* findings) {
  const int64_t requests = plan.workload.num_requests;
  if (plan.workload.duration == kNever || requests <= kMaxRequests) return;
  findings->Error("workload.duration_seconds",
                  absl::StrCat("means about ", Grouped(requests), " requests; at most ",
                               Grouped(kMaxRequests), " are allowed"));
}

// The most that one iteration of a worker may have to do: its longest prompt beside full decodes.
double LargestIterationSeconds(const WorkerPlan& worker) {
  const LocalSchedulerConfig& scheduler = worker.scheduler;
  const int64_t kv_tokens = worker.kv_blocks * worker.block_size;
  const int64_t prompt = std::min(worker.max_model_len, kv_tokens);
  const int64_t chunk = scheduler.max_num_batched_tokens == 0
                            ? prompt
                            : std::min<int64_t>(prompt, scheduler.max_num_batched_tokens);
  const PrefillChunk chunks[] = {
      {static_cast<int32_t>(chunk), static_cast<int32_t>(prompt - chunk)}};
  IterationShape shape;
  shape.decode_count = scheduler.max_num_seqs;
  shape.decode_context = std::min(kv_tokens, scheduler.max_num_seqs * worker.max_model_len);
  shape.sampled_count = scheduler.max_num_seqs;
  shape.prefill_tokens = chunk;
  shape.prefill = chunks;
  return worker.compute->IterationSeconds(shape);
}

// Figures so far from any machine that simulated time would overflow.
void CheckIterationTimes(const GroupPlans& groups, Findings* findings) {
  constexpr double kLongest = 1e6;
  for (size_t i = 0; i < groups.size(); ++i) {
    const double seconds = groups[i] ? LargestIterationSeconds(*groups[i]) : 0;
    if (!(seconds <= kLongest)) {
      findings->Error(absl::StrCat("workers[", i, "].compute"),
                      absl::StrCat("an iteration of the largest batch would take ", seconds,
                                   " seconds; at most ", kLongest, " are allowed"));
    }
  }
}

// Operators that are priced by a formula though others beside them have measurements.
void WarnOfUnmeasured(const GroupPlans& groups, Findings* findings) {
  for (size_t i = 0; i < groups.size(); ++i) {
    if (!groups[i]) continue;
    std::string names;
    for (const OperatorSource& op : groups[i]->compute->Sources()) {
      if (!op.lacks_measurement) continue;
      absl::StrAppend(&names, names.empty() ? "" : ", ", op.name, " (", op.source, ")");
    }
    if (names.empty()) continue;
    findings->Warning(absl::StrCat("workers[", i, "].compute"),
                      absl::StrCat("has no measurement of ", names));
  }
}

// An all-reduce of a calibration is of one host and one number of devices.
void WarnOfReplacedSurfaces(const v1::Spec& spec, Findings* findings) {
  for (int i = 0; i < spec.workers_size(); ++i) {
    const v1::WorkerGroup& group = spec.workers(i);
    const auto& kernels = group.hardware().kernels();
    if (!group.calibration().has_all_reduce() || group.parallelism().tensor() == 1 ||
        std::none_of(kernels.begin(), kernels.end(),
                     [](const auto& surface) { return surface.kernel() == "all_reduce"; })) {
      continue;
    }
    findings->Warning(absl::StrCat("workers[", i, "].calibration.all_reduce"),
                      "replaces what was measured of the hardware by number of devices; write null "
                      "to keep that");
  }
}

// What no worker can serve.
void CheckShortestRequest(const v1::Spec& spec, const std::vector<WorkerCapacity>& capacities,
                          Findings* findings) {
  for (const char* part : {"lengths", "trace", "classes", "prefix_groups"}) {
    if (findings->Broken(JoinPath("workload", part))) return;
  }
  if (capacities.empty() ||
      !std::all_of(capacities.begin(), capacities.end(),
                   [](const WorkerCapacity& capacity) { return capacity.known; })) {
    return;
  }
  const int64_t shortest = ShortestRequest(spec.workload());
  int64_t model_len = 0;
  int64_t kv_tokens = 0;
  for (int i = 0; i < spec.workers_size(); ++i) {
    const v1::WorkerGroup& group = spec.workers(i);
    model_len = std::max<int64_t>(model_len, group.local_scheduler().max_model_len());
    kv_tokens = std::max(kv_tokens, capacities[static_cast<size_t>(i)].kv_tokens(group));
  }
  const bool too_long = shortest > model_len;
  if (!too_long && shortest <= kv_tokens) return;
  findings->Warning("workload.lengths",
                    absl::StrCat("every request would be rejected: the shortest has ",
                                 Grouped(shortest), " tokens, input and output, and the largest ",
                                 too_long ? "max_model_len is " : "KV cache holds ",
                                 Grouped(too_long ? model_len : kv_tokens)));
}

void CountSizes(const v1::Spec& spec, const Findings& findings, PreparedSpec* prepared) {
  if (!findings.Broken("workload.num_requests")) {
    prepared->num_requests = spec.workload().num_requests();
  }
  if (findings.Broken("workers")) return;
  for (const v1::WorkerGroup& group : spec.workers()) prepared->num_workers += WorkersOf(group);
}

// Removes sections that say nothing, so that leaving them out is the same.
void DropEmpty(v1::Spec* spec) {
  const auto empty = [](const google::protobuf::Message& message) {
    return message.ByteSizeLong() == 0;
  };
  if (spec->has_slo() && empty(spec->slo())) spec->clear_slo();
  if (spec->has_stop() && empty(spec->stop())) spec->clear_stop();
  if (spec->has_faults() && empty(spec->faults())) spec->clear_faults();
  if (spec->has_report() && empty(spec->report())) spec->clear_report();
  if (spec->has_model() &&
      std::all_of(spec->workers().begin(), spec->workers().end(),
                  [](const v1::WorkerGroup& group) { return group.has_model(); })) {
    spec->clear_model();
  }
}

std::vector<v1::WorkerEstimate> WorkerEstimates(const v1::Spec& spec,
                                                const std::vector<WorkerCapacity>& capacities) {
  std::vector<v1::WorkerEstimate> estimates;
  for (int i = 0; i < spec.workers_size(); ++i) {
    const v1::WorkerGroup& group = spec.workers(i);
    const WorkerCapacity& capacity = capacities[static_cast<size_t>(i)];
    v1::WorkerEstimate& estimate = estimates.emplace_back();
    estimate.set_group(group.name());
    estimate.set_count(static_cast<int32_t>(WorkersOf(group)));
    estimate.set_weight_bytes_per_device(capacity.weight_bytes_per_device);
    estimate.set_kv_bytes_per_token(capacity.kv_bytes_per_token);
    estimate.set_kv_blocks(capacity.kv_blocks);
    estimate.set_kv_tokens(capacity.kv_tokens(group));
  }
  return estimates;
}

// What a run of `plan` holds at its largest, when its report is made. Beside what types tell,
// measured (docs/performance.md).
int64_t EstimateMemory(const Plan& plan) {
  constexpr int64_t kBytesPerWorker = 9'000;  // without its timeline
  // Integrals of five series while it runs; then averages of four, as results, in the report and in
  // its message.
  constexpr int64_t kBytesPerPoint = (5 + 3 * 4) * sizeof(double);
  constexpr int64_t kBytesPerUser = 400;  // of a closed loop: its request and what it does next
  const auto workers = static_cast<int64_t>(plan.workers.size());
  constexpr int64_t kBytesPerSample = 2 * sizeof(double);  // of one metric, while it is sorted
  constexpr int64_t kBytesPerRequest = RequestTable::kRowBytes + kBytesPerSample;
  int64_t users = 0;
  if (const auto* loop = std::get_if<ClosedLoopArrivals>(&plan.workload.arrivals)) {
    users = loop->users;
  }
  users = std::max(users, std::min(plan.workload.max_in_flight, plan.workload.num_requests));
  return plan.workload.num_requests * kBytesPerRequest + users * kBytesPerUser +
         workers * (kBytesPerWorker + plan.timeline_points * kBytesPerPoint);
}

}  // namespace

void CheckSlo(const Checker& check, const v1::Slo& slo) {
  const auto objective = [&](std::string_view field, bool present, double seconds) {
    if (present) check.Positive(field, seconds, kMaxSimulatedSeconds);
  };
  objective("ttft_seconds", slo.has_ttft_seconds(), slo.ttft_seconds());
  objective("tpot_seconds", slo.has_tpot_seconds(), slo.tpot_seconds());
  objective("max_itl_seconds", slo.has_max_itl_seconds(), slo.max_itl_seconds());
  objective("e2e_seconds", slo.has_e2e_seconds(), slo.e2e_seconds());
}

void ResolveRest(v1::Spec* spec, Findings* findings) {
  const Checker check(findings, "");
  check.Length("name", spec->name(), 200);
  check.Length("description", spec->description(), 4'000);
  CheckSlo(Checker(findings, "slo"), spec->slo());
  const v1::Stop& stop = spec->stop();
  if (stop.has_max_simulated_seconds()) {
    check.Positive("stop.max_simulated_seconds", stop.max_simulated_seconds(),
                   kMaxSimulatedSeconds);
  }
  const int64_t max = std::numeric_limits<int64_t>::max();
  if (stop.has_max_events()) check.Range("stop.max_events", stop.max_events(), 1, max);
  ResolveOutput(Checker(findings, "output"), spec->mutable_output());
  if (spec->report().has_window()) {
    ResolveWindow(Checker(findings, "report.window"), spec->workload(),
                  spec->mutable_report()->mutable_window());
  }
  if (!spec->has_seed()) spec->set_seed(0);
  check.Range("seed", spec->seed(), 0, max);
}

PreparedSpec PrepareSpec(const v1::Spec& spec, const TracePolicy& traces,
                         const std::vector<std::string>& unread) {
  PreparedSpec prepared;
  Findings findings(unread);
  v1::Spec resolved = spec;
  ResolveSampling(&resolved, &findings);
  ResolveWorkers(traces, &resolved, &findings);
  ResolveNetwork(&resolved, &findings);
  const std::vector<WorkerCapacity> capacities = ComputeCapacities(resolved, &findings);
  CheckKvBytes(resolved, capacities, &findings);
  ResolveFaults(&resolved, &findings);
  ResolveWorkload(traces, resolved.mutable_workload(), &findings);
  ResolveMemoryPool(&resolved, &findings);
  ResolveRest(&resolved, &findings);
  CheckShortestRequest(resolved, capacities, &findings);
  GroupPlans groups = CompileGroups(resolved, capacities, findings);
  CheckIterationTimes(groups, &findings);
  WarnOfUnmeasured(groups, &findings);
  WarnOfReplacedSurfaces(resolved, &findings);
  CheckOperators(spec, groups, &findings);
  CountSizes(resolved, findings, &prepared);
  std::shared_ptr<const Plan> plan;
  if (findings.good()) {
    DropEmpty(&resolved);
    plan = CompilePlan(resolved, std::move(groups));
    CheckExpectedRequests(*plan, &findings);
    prepared.num_requests = plan->workload.num_requests;
  }
  const bool good = findings.good();
  prepared.findings = findings.Take();
  if (!good) return prepared;
  prepared.plan = std::move(plan);
  prepared.digest = SpecDigest(resolved);
  prepared.workers = WorkerEstimates(resolved, capacities);
  prepared.resolved = std::move(resolved);
  return prepared;
}

v1::Estimate ToEstimate(const PreparedSpec& prepared) {
  // Measured on one core: docs/performance.md.
  constexpr double kRequestsPerSecond = 2e6;
  constexpr double kStartSeconds = 0.002;
  v1::Estimate estimate;
  estimate.mutable_findings()->Assign(prepared.findings.begin(), prepared.findings.end());
  if (!prepared.ok()) return estimate;
  *estimate.mutable_resolved_spec() = prepared.resolved;
  estimate.set_spec_digest(prepared.digest);
  estimate.mutable_workers()->Assign(prepared.workers.begin(), prepared.workers.end());
  const auto requests = static_cast<double>(prepared.plan->workload.num_requests);
  estimate.set_requests(prepared.plan->workload.num_requests);
  estimate.set_estimated_wall_seconds(kStartSeconds + requests / kRequestsPerSecond);
  estimate.set_estimated_memory_bytes(EstimateMemory(*prepared.plan));
  return estimate;
}

}  // namespace tokensim
