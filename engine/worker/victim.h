// Who leaves the running set when its decodes lack KV blocks: the interface of victims.
//
// The policies are in engine/policy/victim, one file each. docs/schedulers.md.
#pragma once

#include <cstdint>

#include "engine/base/registry.h"
#include "engine/base/time.h"

namespace tokensim {

// What a victim policy sees of a request in the running set.
struct RunningRequest {
  int32_t priority = 0;  // of its class; lower goes first
  SimTime arrival = 0;
  int32_t client_class = 0;
  int32_t input_tokens = 0;
  int32_t generated = 0;  // tokens so far
  int32_t computed = 0;   // tokens in the KV cache
  int32_t preemptions = 0;
};

// Requests are looked at from the last admitted to the first: the last is the victim until another
// one is worse.
class VictimPolicy {
 public:
  virtual ~VictimPolicy() = default;
  // Whether `request` shall go rather than `victim`, which was admitted after it.
  [[nodiscard]] virtual bool IsWorse(const RunningRequest& request,
                                     const RunningRequest& victim) const = 0;
};

struct VictimTraits {
  // It may choose another than the last admitted: else nobody is looked at.
  bool looks_at_all = true;
};

// Of a worker. Nothing so far.
struct VictimContext {};

class VictimFactory : public PolicyFactory<VictimPolicy, VictimTraits, VictimContext> {
 public:
  using PolicyFactory::PolicyFactory;
};
using VictimEntry = PolicyEntry<VictimFactory>;
using VictimRegistry = PolicyRegistry<VictimFactory>;

}  // namespace tokensim
