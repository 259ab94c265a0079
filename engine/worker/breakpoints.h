// Breakpoints inside an iteration: at an operator of the model, in some layers.
//
// The times come from the compute model's operators, asked only where a breakpoint is.
#pragma once

#include "engine/compute/compute_model.h"
#include "engine/run/observer.h"
#include "engine/run/plan.h"

namespace tokensim {

// An iteration: what it needs from the memory pool is there, and it computes, from `compute` on.
struct IterationTimes {
  SimTime begin = 0;
  SimTime compute = 0;
  SimTime end = 0;
};

// Tells the observer of the operators that `plan` logs, of an iteration that has ended.
void ObserveOperators(const WorkerPlan& plan, int32_t worker, const IterationShape& shape,
                      const IterationTimes& times, Observer* observer);

// When the KV cache of the first and of the last layer leaves, in an iteration that computes over
// [begin, end): after the operator that a put_kv breakpoint names, else at the end of each layer.
struct LayerReleases {
  SimTime first = 0;
  SimTime last = 0;
};
[[nodiscard]] LayerReleases FindLayerReleases(const WorkerPlan& plan, const IterationShape& shape,
                                              SimTime begin, SimTime end);

}  // namespace tokensim
