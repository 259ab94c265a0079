// Links between devices and workers, and how KV caches move over them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tokensim {

struct LinkConfig {
  std::string name;
  double bandwidth_bytes_per_second = 0;  // per direction; 0: not limited
  double latency_seconds = 0;
};

enum class LinkSharing : uint8_t { kFifo, kFair };
enum class TransferMode : uint8_t { kSequential, kBuffered, kLayerwise };

// Workers have a port to the other workers of their node, nodes one to the other nodes.
struct NetworkConfig {
  LinkConfig intra_node;
  LinkConfig inter_node;
  // Link of each worker inside its node; empty: all have intra_node.
  std::vector<LinkConfig> connections;
  LinkSharing sharing = LinkSharing::kFair;
  TransferMode mode = TransferMode::kSequential;
  int32_t groups = 1;           // >= 1; block groups of one KV cache
  int32_t buffered_groups = 2;  // >= 1; in flight at once with kBuffered
};

}  // namespace tokensim
