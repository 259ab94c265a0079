// The KV cache of a worker, and host memory beside it. Internal to engine/io.
#pragma once

#include <vector>

#include "engine/hardware/topology.h"
#include "engine/io/plan/capacity.h"
#include "engine/io/plan/findings.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Of an engine that caches prefixes where it can, whether it can. `given`: what the specification
// says itself.
void ResolvePrefixCaching(const Checker& check, const v1::Memory& given, const v1::Model& model,
                          v1::Memory* memory);
// `check` is the group's, whose local scheduler is resolved.
void ResolveMemory(const Checker& check, v1::WorkerGroup* group);
// What needs the size of the model's KV cache: host memory, memory pool.
void CheckKvBytes(const v1::Spec& spec, const std::vector<WorkerCapacity>& capacities,
                  Findings* findings);

// From a worker to its host: each of its devices has a link, and a part of every KV block.
[[nodiscard]] LinkConfig CompileHostLink(const v1::WorkerGroup& group);

}  // namespace tokensim
