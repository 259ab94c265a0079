#include "engine/io/plan/features/memory_pool.h"

#include <string>

#include "engine/io/plan/features/link.h"
#include "engine/io/plan/fields.h"
#include "engine/io/plan/policy_fields.h"
#include "engine/policy/defaults.h"
#include "engine/policy/evict/registry.h"

namespace tokensim {
namespace {

constexpr char kDefaultPoolLink[] = "eth-100g";  // of a link that says nothing of itself
constexpr FieldRule kFields[] = {
    Integer("capacity_bytes", 1, 1'000'000'000'000'000'000),  // unlimited unless given
    NotNegative("fetch_latency_per_block_seconds", 1'000)
        .Default(800e-9),  // the paper's, section IV-E
    Enumeration("load", "a way to load").Default(v1::POOL_LOAD_ASYNC)};
constexpr FieldRule kEviction[] = {Enumeration("eviction", "an eviction")};

bool HasConversations(const v1::Workload& workload) {
  return workload.has_conversations() || workload.trace().rows().conversation_size() > 0;
}

std::string EvictionName(const Checker& check, const v1::MemoryPool& pool) {
  return PolicyName(check, "eviction", "eviction_policy", kDefaultEviction, pool);
}

void ResolveEviction(const Checker& check, v1::MemoryPool* pool) {
  if (!ResolveFields(check, kEviction, pool)) return;
  const std::string name = EvictionName(check, *pool);
  if (!CheckPolicyName(check, "eviction_policy", name, Evictions())) return;
  const EvictionEntry* entry = Evictions().Find(name);
  const int64_t errors = check.findings()->errors();
  ResolveParameters(check, {Choice(Evictions(), {entry})}, pool);
  if (check.findings()->errors() == errors) CheckTogether(check, *entry, *pool);
  SetPolicyName("eviction", "eviction_policy", name, pool);
}

}  // namespace

void ResolveMemoryPool(v1::Spec* spec, Findings* findings) {
  if (!spec->has_memory_pool()) return;
  const Checker check(findings, "memory_pool");
  v1::MemoryPool* pool = spec->mutable_memory_pool();
  ResolveFields(check, kFields, pool);
  if (pool->has_link()) ResolveLink(check, "link", kDefaultPoolLink, pool->mutable_link());
  ResolveEviction(check, pool);
  if (!HasConversations(spec->workload()) && !findings->Broken("workload.conversations") &&
      !findings->Broken("workload.trace")) {
    RemoveUnused(Checker(findings, ""), "memory_pool", "the workload has no conversations", spec);
  }
}

MemoryPoolConfig CompileMemoryPool(const v1::MemoryPool& pool) {
  MemoryPoolConfig config;
  config.capacity_bytes = pool.capacity_bytes();
  config.fetch_latency_per_block_seconds = pool.fetch_latency_per_block_seconds();
  if (pool.has_link()) config.link = ToLink(pool.link());
  if (pool.load() == v1::POOL_LOAD_BLOCKING) config.load = PoolLoad::kBlocking;
  Findings ignored;  // a resolved pool has none
  config.eviction = ConfigurePolicy(Evictions(), EvictionName(Checker(&ignored, ""), pool), pool);
  return config;
}

}  // namespace tokensim
