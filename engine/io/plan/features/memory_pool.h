// The store that keeps KV caches of conversations between turns. Internal to engine/io.
#pragma once

#include "engine/io/plan/findings.h"
#include "engine/memory/memory_pool.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Needs the resolved workload: the pool applies to conversations only.
void ResolveMemoryPool(v1::Spec* spec, Findings* findings);

[[nodiscard]] MemoryPoolConfig CompileMemoryPool(const v1::MemoryPool& pool);

}  // namespace tokensim
