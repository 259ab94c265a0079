// How many workers a group has, which of them serve from the start, and on which nodes they are.
// Internal to engine/io.
#pragma once

#include <cstdint>

#include "engine/io/plan/findings.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Workers of a group in the plan: count x data. Of a resolved group.
[[nodiscard]] int64_t WorkersOf(const v1::WorkerGroup& group);
// Of them, those that serve from the start.
[[nodiscard]] int64_t InitialWorkersOf(const v1::WorkerGroup& group);

// count, at the beginning: the rest needs it.
void ResolveCount(const Checker& check, v1::WorkerGroup* group);
// initial_count, node, workers_per_node. `check` is the group's, `index` its number.
void ResolvePlacement(const Checker& check, int index, v1::WorkerGroup* group);

inline constexpr int64_t kMaxWorkers = 100'000;

}  // namespace tokensim
