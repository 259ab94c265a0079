#include "engine/io/plan/policy_fields.h"
#include "engine/io/plan/resolve.h"
#include "engine/policy/defaults.h"
#include "engine/policy/evict/registry.h"

namespace tokensim {
namespace {

constexpr char kDefaultPoolLink[] = "eth-100g";  // of a link that says nothing of itself

bool HasConversations(const v1::Workload& workload) {
  return workload.has_conversations() || workload.trace().rows().conversation_size() > 0;
}

void ResolveEviction(const Checker& check, v1::MemoryPool* pool) {
  const std::string name =
      PolicyName(check, "eviction", "eviction_policy", kDefaultEviction, *pool);
  if (!CheckPolicyName(check, "eviction_policy", name, Evictions())) return;
  const EvictionEntry* entry = Evictions().Find(name);
  const int64_t errors = check.findings()->errors();
  ResolveParameters(check, {Choice(Evictions(), {entry})}, pool);
  if (check.findings()->errors() == errors) CheckTogether(check, *entry, *pool);
  if (name != kDefaultEviction) return;
  pool->clear_eviction();
  pool->clear_eviction_policy();
}

}  // namespace

// After the workload.
void ResolveMemoryPool(v1::Spec* spec, Findings* findings) {
  if (!spec->has_memory_pool()) return;
  const Checker check(findings, "memory_pool");
  v1::MemoryPool* pool = spec->mutable_memory_pool();
  if (pool->has_capacity_bytes()) {
    check.Range("capacity_bytes", pool->capacity_bytes(), 1, 1'000'000'000'000'000'000);
  }
  if (pool->has_fetch_latency_per_block_seconds()) {
    check.NotNegative("fetch_latency_per_block_seconds", pool->fetch_latency_per_block_seconds(),
                      1'000);
  }
  if (pool->has_link()) ResolveLink(check, "link", kDefaultPoolLink, pool->mutable_link());
  if (pool->has_eviction() && (!v1::Eviction_IsValid(pool->eviction()) || pool->eviction() == 0)) {
    check.Error("eviction", "is not an eviction; allowed are lru, fifo");
  } else {
    ResolveEviction(check, pool);
  }
  if (pool->has_load() && (!v1::PoolLoad_IsValid(pool->load()) || pool->load() == 0)) {
    check.Error("load", "is not a way to load; allowed are async, blocking");
  }
  if (pool->load() == v1::POOL_LOAD_ASYNC) pool->clear_load();
  if (!HasConversations(spec->workload()) && !findings->Broken("workload.conversations") &&
      !findings->Broken("workload.trace")) {
    check.Warning("", "is not used: the workload has no conversations");
  }
}

}  // namespace tokensim
