// How many KV blocks a worker has.
//
//   bytes  = memory_bytes * gpu_memory_utilization - weights - reserved_bytes     (per device)
//   blocks = floor(bytes / (block_size * KV bytes of a token on the device))
//
// as vLLM's determine_available_memory, with reserved_bytes in place of its profiling run. A local
// scheduler may keep null blocks, as vLLM V1 does with block 0: so many less are usable. Of a model
// whose layers do not all keep every token a block is one of its layout (features/block_groups.h).
//
// Internal to engine/io.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/io/plan/findings.h"
#include "engine/memory/block_layout.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// What one worker of a group can hold.
struct WorkerCapacity {
  bool known = false;  // the group has no errors, and the model fits
  int64_t weight_bytes_per_device = 0;
  int64_t kv_bytes_per_token = 0;  // over all devices of a worker
  int64_t kv_blocks = 0;           // usable
  // Null: every layer keeps every token.
  std::shared_ptr<const BlockLayout> layout;

  // Bytes of a block over all devices of a worker.
  [[nodiscard]] int64_t block_bytes(const v1::WorkerGroup& group) const;
  // The most tokens of one request of max_model_len at most.
  [[nodiscard]] int64_t longest(const v1::WorkerGroup& group) const;
  // Tokens that the cache holds; with a layout of requests of max_model_len, as vLLM's log says.
  [[nodiscard]] int64_t kv_tokens(const v1::WorkerGroup& group) const;
};

// Whether neither the group nor what it takes from the spec has errors, but perhaps in its
// breakpoints, which need a worker to be checked.
[[nodiscard]] bool GroupIsGood(const v1::Spec& spec, int index, const Findings& findings);
// One entry per group, known of groups without errors. Errors: the model does not fit.
[[nodiscard]] std::vector<WorkerCapacity> ComputeCapacities(const v1::Spec& spec,
                                                            Findings* findings);

}  // namespace tokensim
