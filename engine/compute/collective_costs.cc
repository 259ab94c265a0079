#include "engine/compute/collective_costs.h"

#include <algorithm>

#include "engine/base/invariant.h"

namespace tokensim {

CollectiveCosts::CollectiveCosts(const InterconnectConfig& link, const ParallelismConfig& split) {
  // Ranks in lock-step gather the rows of each other.
  const int32_t gathering = std::max(split.tensor, split.data);
  if (gathering == 1 && split.pipeline == 1) return;
  const double bandwidth = link.bandwidth_bytes_per_second;
  TOKENSIM_INVARIANT(bandwidth > 0, "several devices without an interconnect");
  all_reduce_ = RingAllReduce(split.tensor, bandwidth, link.latency_seconds);
  all_gather_ = RingAllGather(gathering, bandwidth, link.latency_seconds);
  all_to_all_ = AllToAll(split.expert, bandwidth, link.latency_seconds);
  send_ = PointToPoint(bandwidth, link.latency_seconds);
}

double CollectiveCosts::Seconds(const Operator& op) const {
  switch (op.kind) {
    case OperatorKind::kAllReduce:
      return all_reduce_.Seconds(op.bytes);
    case OperatorKind::kAllGather:
      return all_gather_.Seconds(op.bytes);
    case OperatorKind::kAllToAll:
      return all_to_all_.Seconds(op.bytes);
    default:
      return send_.Seconds(op.bytes);
  }
}

}  // namespace tokensim
