#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/resolve.h"

namespace tokensim {
namespace {

constexpr int64_t kMaxBlocks = 1'000'000'000'000;
constexpr int64_t kMaxBytes = 1'000'000'000'000'000;
// Of the KV cache of a token. That of the longest request fits an int64 four times.
constexpr int64_t kMaxTokenBytes = 1'000'000'000;

// Tokens and bytes are blocks of one token.
void ResolveGranularity(const Checker& check, v1::Memory* m) {
  const v1::Granularity granularity = m->granularity();
  if (m->has_granularity() && (!v1::Granularity_IsValid(granularity) || granularity == 0)) {
    check.Error("granularity", "is not a granularity; allowed are block, token, byte");
  } else if (granularity == v1::GRANULARITY_TOKEN || granularity == v1::GRANULARITY_BYTE) {
    if (m->has_block_size() && m->block_size() != 1) {
      check.Error("block_size", absl::StrCat("is ", m->block_size(),
                                             "; with granularity token or byte, leave it out"));
    }
    m->set_block_size(1);
  } else {
    m->clear_granularity();
  }
}

void ResolveTiers(const Checker& check, bool swaps, v1::Memory* m) {
  if (!m->prefix_caching()) m->clear_prefix_caching();
  if (!m->overlap_swap()) m->clear_overlap_swap();
  check.Range("host_memory_bytes", m->host_memory_bytes(), 0, kMaxBytes);
  if (swaps && m->host_memory_bytes() == 0) {
    check.Missing("host_memory_bytes",
                  "is missing: preemption_mode swap needs room for the KV caches it moves out");
  }
  if (m->host_memory_bytes() == 0) m->clear_host_memory_bytes();
}

// Blocks of a KV cache are a token wide.
bool IsKvType(v1::DataType type) {
  return v1::DataType_IsValid(type) && type != 0 &&
         (type <= v1::DATA_TYPE_INT4 || type == v1::DATA_TYPE_NVFP4);
}

}  // namespace

void ResolveMemory(const Checker& group_check, v1::WorkerGroup* group) {
  const Checker check(group_check.findings(), group_check.Path("memory"));
  v1::Memory* m = group->mutable_memory();
  ResolveGranularity(check, m);
  if (!m->has_block_size()) m->set_block_size(16);
  if (!m->has_gpu_memory_utilization()) m->set_gpu_memory_utilization(0.9);
  if (!m->has_reserved_bytes()) m->set_reserved_bytes(int64_t{2} << 30);
  if (!m->has_kv_cache_dtype()) m->set_kv_cache_dtype(v1::DATA_TYPE_BF16);
  check.Range("block_size", m->block_size(), 1, 65'536);
  check.Positive("gpu_memory_utilization", m->gpu_memory_utilization(), 1);
  check.Range("reserved_bytes", m->reserved_bytes(), 0, kMaxBytes);
  if (m->has_kv_blocks()) {
    const int32_t null_blocks = TraitsOf(group->local_scheduler()).null_blocks;
    check.Range("kv_blocks", m->kv_blocks(), 1 + null_blocks, kMaxBlocks);
  }
  if (!IsKvType(m->kv_cache_dtype())) {
    check.Error("kv_cache_dtype",
                "is not a data type of a KV cache; allowed are fp32, bf16, fp16, fp8, int8, int4, "
                "nvfp4");
  }
  const bool swaps = group->local_scheduler().preemption_mode() == v1::PREEMPTION_MODE_SWAP;
  ResolveTiers(check, swaps, m);
}

void CheckKvBytes(const v1::Spec& spec, const std::vector<WorkerCapacity>& capacities,
                  Findings* findings) {
  constexpr char kUnknown[] =
      "needs the size of the KV cache of a token: give the worker's model, or a preset";
  for (size_t i = 0; i < capacities.size(); ++i) {
    if (!capacities[i].known) continue;
    const v1::WorkerGroup& group = spec.workers(static_cast<int>(i));
    const Checker check(findings, absl::StrCat("workers[", i, "]"));
    const int64_t token_bytes = capacities[i].kv_bytes_per_token;
    if (token_bytes > kMaxTokenBytes) {
      findings->Error(group.has_model() ? check.Path("model") : "model",
                      absl::StrCat("the KV cache of a token has ", Grouped(token_bytes),
                                   " bytes; at most ", Grouped(kMaxTokenBytes),
                                   " are allowed: num_layers, num_kv_heads and head_dim make it"));
      continue;
    }
    const double block_bytes =
        static_cast<double>(token_bytes) * static_cast<double>(group.memory().block_size());
    if (group.memory().host_memory_bytes() > 0) {
      if (token_bytes == 0) {
        check.Error("memory.host_memory_bytes", kUnknown);
      } else if (static_cast<double>(group.memory().host_memory_bytes()) < block_bytes) {
        check.Error(
            "memory.host_memory_bytes",
            absl::StrCat("is ", group.memory().host_memory_bytes(), "; one KV block has ",
                         Grouped(static_cast<int64_t>(std::min(block_bytes, 1e18))), " bytes"));
      }
    }
    if (token_bytes == 0 && spec.memory_pool().has_capacity_bytes()) {
      findings->Error("memory_pool.capacity_bytes", kUnknown);
      return;
    }
  }
}

}  // namespace tokensim
