#include "engine/worker/breakpoints.h"

#include <algorithm>
#include <vector>

namespace tokensim {
namespace {

// Not an operator, but the whole.
constexpr char kIteration[] = "iteration";

bool IsAt(const Breakpoint& breakpoint, const OperatorTime& op) {
  if (breakpoint.after != op.name) return false;
  const std::vector<int32_t>& layers = breakpoint.layers;
  return layers.empty() || std::find(layers.begin(), layers.end(), op.layer) != layers.end();
}

}  // namespace

void ObserveOperators(const WorkerPlan& plan, int32_t worker, const IterationShape& shape,
                      const IterationTimes& times, Observer* observer) {
  const auto logs = [](const Breakpoint& b) { return b.action == BreakpointAction::kLog; };
  if (std::none_of(plan.breakpoints.begin(), plan.breakpoints.end(), logs)) return;
  for (const Breakpoint& breakpoint : plan.breakpoints) {
    if (!logs(breakpoint) || breakpoint.after != kIteration) continue;
    observer->OnEvent(times.end, OperatorEvent{.worker = worker,
                                               .name = kIteration,
                                               .start = times.begin,
                                               .duration = times.end - times.begin});
  }
  for (const OperatorTime& op : plan.compute->OperatorTimes(shape)) {
    for (const Breakpoint& breakpoint : plan.breakpoints) {
      if (!logs(breakpoint) || breakpoint.after == kIteration || !IsAt(breakpoint, op)) continue;
      const auto at = [&times](double seconds) {
        return std::min(SaturatingAdd(times.compute, FromSeconds(seconds)), times.end);
      };
      const SimTime start = at(op.start_seconds);
      observer->OnEvent(times.end, OperatorEvent{.worker = worker,
                                                 .name = op.name,
                                                 .layer = op.layer,
                                                 .start = start,
                                                 .duration = at(op.end_seconds()) - start});
    }
  }
}

LayerReleases FindLayerReleases(const WorkerPlan& plan, const IterationShape& shape, SimTime begin,
                                SimTime end) {
  const auto puts = [](const Breakpoint& b) { return b.action == BreakpointAction::kPutKv; };
  const auto put = std::find_if(plan.breakpoints.begin(), plan.breakpoints.end(), puts);
  const SimTime layer = (end - begin) / plan.num_layers;
  LayerReleases releases{begin + layer, end};
  if (put == plan.breakpoints.end()) return releases;
  bool found = false;
  for (const OperatorTime& op : plan.compute->OperatorTimes(shape)) {
    if (put->after != op.name) continue;
    const SimTime time = std::min(SaturatingAdd(begin, FromSeconds(op.end_seconds())), end);
    if (!found) releases.first = time;
    releases.last = time;
    found = true;
  }
  return releases;
}

}  // namespace tokensim
