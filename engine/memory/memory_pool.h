// Configuration of the store that holds the KV caches of conversations between their turns.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/hardware/topology.h"

namespace tokensim {

enum class Eviction : uint8_t { kLru, kFifo };

struct MemoryPoolConfig {
  int64_t capacity_bytes = 0;  // 0: unlimited
  double fetch_latency_per_block_seconds = 0;
  std::optional<LinkConfig> link;  // shared by all fetches
  Eviction eviction = Eviction::kLru;
};

}  // namespace tokensim
