// How flows that meet on a link share it: the rule behind Network.
//
// A flow is a group of bytes on its way over a path, a few links at once. A rule decides at which
// rate each flow moves; after Add, Next or Remove, changes() lists the flows whose rate is now
// another.
//
//   sharing->Add(flow, path, {.ready = now, .order = 7});
//   for (const RateChange& change : sharing->changes()) Reschedule(change.flow, change.rate);
//
// Flows are numbers that the caller chooses, small and reused. Two rules: FifoSharing (one flow
// after the other) and MaxMinSharing (all at once, in fair shares). Knows no time but the keys.
// sharing_registry.h finds them by name.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "engine/base/invariant.h"
#include "engine/base/registry.h"
#include "engine/base/time.h"

namespace tokensim {

using LinkId = int32_t;

// The links that a group occupies at the same time; no link twice.
class Path {
 public:
  Path() = default;
  Path(std::initializer_list<LinkId> links) {
    for (const LinkId link : links) Append(link);
  }
  void Append(LinkId link) {
    TOKENSIM_INVARIANT(size_ < kMaxLinks, "a path with too many links");
    links_[static_cast<size_t>(size_++)] = link;
  }
  [[nodiscard]] const LinkId* begin() const { return links_.data(); }
  [[nodiscard]] const LinkId* end() const { return links_.data() + size_; }

 private:
  static constexpr int32_t kMaxLinks = 4;
  std::array<LinkId, kMaxLinks> links_{};
  int32_t size_ = 0;
};

// The order of flows in a queue: by the time they reach the links, then by the order in which
// their transfers were started.
struct FlowKey {
  SimTime ready = 0;
  int64_t order = 0;

  friend bool operator<(const FlowKey& a, const FlowKey& b) {
    return a.ready != b.ready ? a.ready < b.ready : a.order < b.order;
  }
};

struct RateChange {
  int32_t flow = 0;
  double rate = 0;  // bytes per second; 0: waits; infinity: no link limits it
};

class SharingRule {
 public:
  virtual ~SharingRule() = default;
  // The next link, 0, 1, 2... `bytes_per_second` 0: not limited.
  virtual void AddLink(double bytes_per_second) = 0;
  virtual void Add(int32_t flow, const Path& path, FlowKey key) = 0;
  // The flow's bytes are over and others of its transfer follow at once, on the same path.
  // changes() lists the flow when it moves.
  virtual void Next(int32_t flow, FlowKey key) = 0;
  virtual void Remove(int32_t flow) = 0;

  // Of the last call.
  [[nodiscard]] std::span<const RateChange> changes() const { return changes_; }

 protected:
  std::vector<RateChange> changes_;
};

// Nothing that others must know so far.
struct SharingRuleTraits {};
// Of a network. Nothing so far.
struct SharingRuleContext {};

class SharingRuleFactory
    : public PolicyFactory<SharingRule, SharingRuleTraits, SharingRuleContext> {
 public:
  using PolicyFactory::PolicyFactory;
};
using SharingRuleEntry = PolicyEntry<SharingRuleFactory>;
using SharingRuleRegistry = PolicyRegistry<SharingRuleFactory>;

}  // namespace tokensim
