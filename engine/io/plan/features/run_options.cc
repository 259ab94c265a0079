#include "engine/io/plan/features/run_options.h"

#include <limits>

#include "engine/io/plan/fields.h"

namespace tokensim {
namespace {

constexpr int64_t kMaxInteger = std::numeric_limits<int64_t>::max();
constexpr double kShortestInterval = 1e-6;

constexpr FieldRule kSeed[] = {Integer("seed", 0, kMaxInteger).Default(0)};
// No limit unless given.
constexpr FieldRule kStop[] = {Positive("max_simulated_seconds", kMaxSimulatedSeconds),
                               Integer("max_events", 1, kMaxInteger)};
constexpr FieldRule kOutput[] = {
    NotNegative("snapshot_interval_seconds", kMaxSimulatedSeconds).Default(1),  // 0: none
    Integer("timeline_points", 2, 4'096).Default(256)};
constexpr FieldRule kWindow[] = {
    NotNegative("warm_up_seconds", kMaxSimulatedSeconds).Default(0),
    Positive("duration_seconds", kMaxSimulatedSeconds)};  // to the end of the run unless given

void ResolveOutput(const Checker& check, v1::Output* output) {
  ResolveFields(check, kOutput, output);
  const double interval = output->snapshot_interval_seconds();
  if (interval > 0 && interval < kShortestInterval) {
    check.Error("snapshot_interval_seconds", "must be 0 (none) or at least 1us");
  }
}

void ResolveWindow(const Checker& check, const v1::Workload& workload, v1::ReportWindow* window) {
  ResolveFields(check, kWindow, window);
  if (!check.Broken("warm_up_seconds") && workload.has_duration_seconds() &&
      window->warm_up_seconds() >= workload.duration_seconds()) {
    check.Error("warm_up_seconds",
                "must be below workload.duration_seconds: no request would count");
  }
}

ReportWindow CompileWindow(const v1::ReportWindow& window) {
  ReportWindow compiled;
  compiled.start = FromSeconds(window.warm_up_seconds());
  if (window.has_duration_seconds()) {
    compiled.end = compiled.start + FromSeconds(window.duration_seconds());
  }
  return compiled;
}

}  // namespace

void ResolveRunOptions(v1::Spec* spec, Findings* findings) {
  const Checker check(findings, "");
  check.Length("name", spec->name(), 200);
  check.Length("description", spec->description(), 4'000);
  if (spec->has_stop()) ResolveFields(Checker(findings, "stop"), kStop, spec->mutable_stop());
  ResolveOutput(Checker(findings, "output"), spec->mutable_output());
  if (spec->report().has_window()) {
    ResolveWindow(Checker(findings, "report.window"), spec->workload(),
                  spec->mutable_report()->mutable_window());
  }
  ResolveFields(check, kSeed, spec);
}

void CompileRunOptions(const v1::Spec& resolved, Plan* plan) {
  plan->name = resolved.name();
  plan->seed = static_cast<uint64_t>(resolved.seed());
  if (resolved.report().has_window()) plan->window = CompileWindow(resolved.report().window());
  // However slow the machine: time does not overflow.
  plan->max_simulated_time = FromSeconds(resolved.stop().has_max_simulated_seconds()
                                             ? resolved.stop().max_simulated_seconds()
                                             : kMaxSimulatedSeconds);
  plan->max_events = resolved.stop().max_events();
  plan->snapshot_interval = FromSeconds(resolved.output().snapshot_interval_seconds());
  plan->timeline_points = resolved.output().timeline_points();
}

}  // namespace tokensim
