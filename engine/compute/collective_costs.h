// Collectives of the devices of a worker over their interconnect: ring all-reduce and all-gather,
// pairwise all-to-all, a send to the next stage (engine/network/collectives.h).
#pragma once

#include "engine/compute/operators.h"
#include "engine/hardware/device.h"
#include "engine/model/transformer.h"
#include "engine/network/collectives.h"

namespace tokensim {

class CollectiveCosts {
 public:
  // With several devices, a link with bandwidth, else InvariantError.
  CollectiveCosts(const InterconnectConfig& link, const ParallelismConfig& split);

  // Of kAllReduce, kAllGather, kAllToAll and kSend; the start of a kernel is not in it.
  [[nodiscard]] double Seconds(const Operator& op) const;

 private:
  LinearCost all_reduce_;
  LinearCost all_gather_;
  LinearCost all_to_all_;
  LinearCost send_;
};

}  // namespace tokensim
