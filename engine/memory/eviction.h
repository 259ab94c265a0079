// What a full store gives up first: the interface of evictions.
//
// A store keeps its entries in a queue and evicts from the front; what is put, anew or again, goes
// to the back. An eviction decides where an entry goes when it is used. The policies are in
// engine/policy/evict, one file each. docs/memory.md.
#pragma once

#include <cstdint>

#include "engine/base/registry.h"

namespace tokensim {

// What an eviction sees of an entry of the memory pool.
struct StoredEntry {
  int64_t bytes = 0;
  int32_t tokens = 0;
};

enum class EvictionMove : uint8_t { kStay, kToBack, kToFront };

class Eviction {
 public:
  virtual ~Eviction() = default;
  // The entry is found, by the request that fetches it.
  [[nodiscard]] virtual EvictionMove OnUse(const StoredEntry& entry) = 0;
};

// Nothing that others must know so far.
struct EvictionTraits {};
// Of a store. Nothing so far.
struct EvictionContext {};

class EvictionFactory : public PolicyFactory<Eviction, EvictionTraits, EvictionContext> {
 public:
  using PolicyFactory::PolicyFactory;
};
using EvictionEntry = PolicyEntry<EvictionFactory>;
using EvictionRegistry = PolicyRegistry<EvictionFactory>;

}  // namespace tokensim
