#include "engine/io/plan/prepare.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/capacity.h"
#include "engine/io/plan/compile.h"
#include "engine/io/plan/digest.h"
#include "engine/io/plan/features/breakpoints.h"
#include "engine/io/plan/features/faults.h"
#include "engine/io/plan/features/limits.h"
#include "engine/io/plan/features/memory.h"
#include "engine/io/plan/features/memory_pool.h"
#include "engine/io/plan/features/network.h"
#include "engine/io/plan/features/placement.h"
#include "engine/io/plan/features/run_options.h"
#include "engine/io/plan/features/sampling.h"
#include "engine/io/plan/features/slo.h"
#include "engine/io/plan/features/workers.h"
#include "engine/io/plan/features/workload.h"
#include "engine/run/request_table.h"
#include "engine/run/results.h"

namespace tokensim {
namespace {

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
  const int64_t kv_tokens = worker.KvTokens();
  const int64_t prompt = std::min(worker.max_model_len, kv_tokens);
  const int64_t chunk = scheduler.max_num_batched_tokens == 0
                            ? prompt
                            : std::min<int64_t>(prompt, scheduler.max_num_batched_tokens);
  const PrefillChunk chunks[] = {
      {static_cast<int32_t>(chunk), static_cast<int32_t>(prompt - chunk)}};
  IterationShape shape;
  shape.decode_count = scheduler.max_num_seqs;
  shape.decode_context = scheduler.max_num_seqs * worker.max_model_len;
  // With a layout kv_tokens is of one request.
  if (worker.layout == nullptr) shape.decode_context = std::min(kv_tokens, shape.decode_context);
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
    kv_tokens = std::max(kv_tokens, capacities[static_cast<size_t>(i)].longest(group));
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
void RemoveEmpty(v1::Spec* spec) {
  if (spec->slo().ByteSizeLong() == 0) spec->clear_slo();
  if (spec->stop().ByteSizeLong() == 0) spec->clear_stop();
  if (spec->report().ByteSizeLong() == 0) spec->clear_report();
}

void AddKvGroups(const BlockLayout& layout, v1::WorkerEstimate* estimate) {
  estimate->set_kv_block_bytes(layout.block_bytes());
  for (const BlockGroup& group : layout.config().groups) {
    v1::KvGroupEstimate* kept = estimate->add_kv_groups();
    kept->set_count(group.count);
    if (group.state_blocks > 0) {
      kept->set_state_blocks(group.state_blocks);
      continue;
    }
    kept->set_block_size(group.block_size);
    if (group.window > 0) {
      group.chunked ? kept->set_chunk(group.window) : kept->set_sliding_window(group.window);
    }
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
    if (capacity.layout != nullptr) AddKvGroups(*capacity.layout, &estimate);
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
  const int64_t users = std::max(plan.workload.users(),
                                 std::min(plan.workload.max_in_flight, plan.workload.num_requests));
  return plan.workload.num_requests * kBytesPerRequest + users * kBytesPerUser +
         workers * (kBytesPerWorker + plan.timeline_points * kBytesPerPoint);
}

}  // namespace

PreparedSpec PrepareSpec(const v1::Spec& spec, const TracePolicy& traces,
                         const std::vector<std::string>& unread) {
  PreparedSpec prepared;
  Findings findings(unread, &spec);
  v1::Spec resolved = spec;
  ResolveSampling(&resolved, &findings);
  ResolveWorkers(traces, &resolved, &findings);
  ResolveNetwork(&resolved, &findings);
  const std::vector<WorkerCapacity> capacities = ComputeCapacities(resolved, &findings);
  CheckKvBytes(resolved, capacities, &findings);
  ResolveFaults(&resolved, &findings);
  ResolveWorkload(traces, resolved.mutable_workload(), &findings);
  ResolveMemoryPool(&resolved, &findings);
  ResolveSlo(Checker(&findings, "slo"), resolved.mutable_slo());
  ResolveRunOptions(&resolved, &findings);
  CheckShortestRequest(resolved, capacities, &findings);
  GroupPlans groups = CompileGroups(resolved, capacities, findings);
  CheckIterationTimes(groups, &findings);
  WarnOfUnmeasured(groups, &findings);
  WarnOfReplacedSurfaces(resolved, &findings);
  CheckOperators(spec, groups, &findings);
  CountSizes(resolved, findings, &prepared);
  std::shared_ptr<const Plan> plan;
  if (findings.good()) {
    RemoveEmpty(&resolved);
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
