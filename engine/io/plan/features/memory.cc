#include "engine/io/plan/features/memory.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/block_groups.h"
#include "engine/io/plan/features/link.h"
#include "engine/io/plan/features/local_scheduler.h"
#include "engine/io/plan/features/model_plan.h"
#include "engine/io/plan/fields.h"

namespace tokensim {
namespace {

constexpr int64_t kMaxBlocks = 1'000'000'000'000;
constexpr int64_t kMaxBytes = 1'000'000'000'000'000;
// What a prefix cache may have to remember: of one request, in one iteration, and in all.
constexpr int64_t kMaxFindablePerRequest = 2'000'000;
constexpr int64_t kMaxFindable = 100'000'000;
// Of the KV cache of a token. That of the longest request fits an int64 four times.
constexpr int64_t kMaxTokenBytes = 1'000'000'000;

constexpr FieldRule kFields[] = {
    Enumeration("granularity", "a granularity").Default(v1::GRANULARITY_BLOCK),
    Integer("block_size", 1, 65'536).Default(16),
    Positive("gpu_memory_utilization", 1).Default(0.9),
    Integer("reserved_bytes", 0, kMaxBytes).Default(int64_t{2} << 30),
    Enumeration("kv_cache_dtype", "a data type").Default(v1::DATA_TYPE_BF16),
    Flag("prefix_caching").Default(0),
    Integer("host_memory_bytes", 0, kMaxBytes).Default(0)};
// With host memory.
constexpr FieldRule kSwapping[] = {Flag("overlap_swap").Default(0)};

// With prefix caching.
constexpr FieldRule kCaching[] = {Flag("reuse_unfindable_first").Default(0)};

// Blocks of a KV cache are a token wide.
bool IsKvType(v1::DataType type) {
  return type <= v1::DATA_TYPE_INT4 || type == v1::DATA_TYPE_NVFP4;
}

// Tokens and bytes are blocks of one token.
void ResolveBlockSize(const Checker& check, v1::Memory* m) {
  if (m->granularity() != v1::GRANULARITY_TOKEN && m->granularity() != v1::GRANULARITY_BYTE) return;
  if (m->has_block_size() && m->block_size() != 1) {
    check.Error("block_size", absl::StrCat("is ", m->block_size(),
                                           "; with granularity token or byte, leave it out"));
  }
  m->set_block_size(1);
}

void ResolveHostMemory(const Checker& check, bool swaps, v1::Memory* m) {
  if (swaps && m->host_memory_bytes() == 0) {
    check.Missing("host_memory_bytes",
                  "is missing: preemption_mode swap needs room for the KV caches it moves out");
  } else if (m->host_memory_bytes() == 0) {
    RemoveUnused(check, kSwapping, "it needs host_memory_bytes", m);
  } else {
    ResolveFields(check, kSwapping, m);
  }
}

void ResolveReuse(const Checker& check, v1::Memory* m) {
  if (m->prefix_caching()) {
    ResolveFields(check, kCaching, m);
  } else {
    RemoveUnused(check, kCaching, "it needs prefix_caching", m);
  }
}

// Full blocks of a request of max_model_len.
int64_t LongestBlocks(const WorkerCapacity& capacity, const v1::WorkerGroup& group) {
  const int64_t tokens = group.local_scheduler().max_model_len();
  if (capacity.layout == nullptr) return tokens / group.memory().block_size();
  int64_t blocks = 0;
  for (const BlockGroup& kept : capacity.layout->groups()) {
    blocks += kept.count * (tokens / kept.block_size);
  }
  return blocks;
}

// A prefix cache has an entry for every full block.
void CheckFindableBlocks(const Checker& check, const WorkerCapacity& capacity,
                         const v1::WorkerGroup& group) {
  if (!group.memory().prefix_caching()) return;
  const int64_t kv_blocks = capacity.kv_blocks;
  if (kv_blocks > kMaxFindable) {
    check.Error("kv_blocks", absl::StrCat("makes ", Grouped(kv_blocks), " blocks; at most ",
                                          Grouped(kMaxFindable),
                                          " are allowed with prefix_caching: take larger blocks"));
  }
  const int64_t longest = LongestBlocks(capacity, group);
  if (std::min(longest, kv_blocks) > kMaxFindablePerRequest) {
    check.Error("block_size", absl::StrCat("is ", group.memory().block_size(),
                                           ": a request of max_model_len has ", Grouped(longest),
                                           " blocks; at most ", Grouped(kMaxFindablePerRequest),
                                           " are allowed with prefix_caching"));
  }
}

}  // namespace

void ResolvePrefixCaching(const Checker& group_check, const v1::Memory& given,
                          const v1::Model& model, v1::Memory* memory) {
  if (memory->prefix_caching() && ModelIsKnown(model) &&
      KeepsStates(ToModel(model, v1::DATA_TYPE_BF16))) {
    if (given.prefix_caching()) {
      group_check.Error("memory.prefix_caching",
                        "does not go with a model whose layers keep states: what they were at the "
                        "end of a beginning is not kept (vLLM has none before 0.27 either)");
    }
    memory->set_prefix_caching(false);
  }
  if (!memory->prefix_caching() && !given.has_reuse_unfindable_first()) {
    memory->clear_reuse_unfindable_first();
  }
}

void ResolveMemory(const Checker& group_check, v1::WorkerGroup* group) {
  const Checker check(group_check.findings(), group_check.Path("memory"));
  v1::Memory* m = group->mutable_memory();
  ResolveBlockSize(check, m);
  ResolveFields(check, kFields, m);
  if (!check.Broken("kv_cache_dtype") && !IsKvType(m->kv_cache_dtype())) {
    check.Error("kv_cache_dtype",
                "is not a data type of a KV cache; allowed are fp32, bf16, fp16, fp8, int8, int4, "
                "nvfp4");
  }
  // The capacity follows from the rest unless it is given.
  if (m->has_kv_blocks()) {
    const int32_t null_blocks = TraitsOf(group->local_scheduler()).null_blocks;
    check.Range("kv_blocks", m->kv_blocks(), 1 + null_blocks, kMaxBlocks);
  }
  const bool swaps = group->local_scheduler().preemption_mode() == v1::PREEMPTION_MODE_SWAP;
  ResolveHostMemory(check, swaps, m);
  ResolveReuse(check, m);
}

void CheckKvBytes(const v1::Spec& spec, const std::vector<WorkerCapacity>& capacities,
                  Findings* findings) {
  constexpr char kUnknown[] =
      "needs the size of the KV cache of a token: give the worker's model, or a preset";
  for (size_t i = 0; i < capacities.size(); ++i) {
    if (!capacities[i].known) continue;
    const v1::WorkerGroup& group = spec.workers(static_cast<int>(i));
    const Checker check(findings, absl::StrCat("workers[", i, "]"));
    CheckFindableBlocks(Checker(findings, check.Path("memory")), capacities[i], group);
    const int64_t token_bytes = capacities[i].kv_bytes_per_token;
    if (token_bytes > kMaxTokenBytes) {
      findings->Error(group.has_model() ? check.Path("model") : "model",
                      absl::StrCat("the KV cache of a token has ", Grouped(token_bytes),
                                   " bytes; at most ", Grouped(kMaxTokenBytes),
                                   " are allowed: num_layers, num_kv_heads and head_dim make it"));
      continue;
    }
    const double block_bytes = static_cast<double>(capacities[i].block_bytes(group));
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

LinkConfig CompileHostLink(const v1::WorkerGroup& group) {
  LinkConfig config = ToLink(group.hardware().host_link());
  const v1::Parallelism& split = group.parallelism();
  config.bandwidth_bytes_per_second *= split.tensor() * split.pipeline();
  return config;
}

}  // namespace tokensim
