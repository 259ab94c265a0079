// Links between devices and workers, and how KV caches move over them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tokensim {

struct LinkConfig {
  std::string name;
  double bandwidth_bytes_per_second = 0;  // per direction; 0: not limited
  double latency_seconds = 0;
};

// How transfers that meet on a link share it (engine/network/link_sharing.h).
class SharingRuleFactory;

enum class TransferMode : uint8_t { kSequential, kBuffered, kLayerwise };

// Workers have a port to the other workers of their node, nodes one to the other nodes.
struct NetworkConfig {
  LinkConfig intra_node;
  LinkConfig inter_node;
  // Link of each worker inside its node; empty: all have intra_node.
  std::vector<LinkConfig> connections;
  std::shared_ptr<const SharingRuleFactory> sharing;  // null: fair shares
  TransferMode mode = TransferMode::kSequential;
  int32_t groups = 1;           // >= 1; block groups of one KV cache
  int32_t buffered_groups = 2;  // >= 1; in flight at once with kBuffered
};

}  // namespace tokensim
