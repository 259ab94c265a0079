// KV caches on their way in the reference simulator: between workers and out of the memory pool
// over the engine's Network (engine/network has tests of its own), to and from host memory over
// links that are worked out here, one copy after the other.
//
// Over links without a limit a transfer takes a time that is easily said: ReferenceMoves expects
// it of the Network.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/network/network.h"
#include "engine/run/plan.h"
#include "tests/property/reference_request.h"

namespace tokensim {

// A KV cache on its way, or waiting for room where it shall go.
struct ReferenceMove {
  enum class Kind : uint8_t { kKv, kPoolFetch, kSwapIn, kSwapOut };
  Kind kind = Kind::kKv;
  ReferenceRequest* request = nullptr;
  int32_t from = -1;
  int32_t to = -1;
  int64_t tokens = 0;
  int64_t blocks = 0;          // kSwapOut
  ReferenceHoldings holdings;  // of the sender
  bool lost = false;           // the sender failed
  bool reserved = false;       // layer-wise, while the sender still computes the prompt
  bool arrived = false;        // before that has ended
  int64_t order = 0;           // of the moves
  SimTime start = kUnset;
  SimTime end = kNever;               // over a host link
  TransferId transfer = kNoTransfer;  // over the Network

  [[nodiscard]] bool under_way() const { return transfer != kNoTransfer || end != kNever; }
};

class ReferenceMoves {
 public:
  explicit ReferenceMoves(const Plan& plan);

  ReferenceMove* Add(const ReferenceMove& move);
  void Remove(const ReferenceMove* move);
  // In the order in which they were added.
  [[nodiscard]] std::vector<ReferenceMove*> All() const;

  // Begins to send a KV cache. Layer by layer, its layers are there from `first` to `last`.
  void StartKv(ReferenceMove* move, SimTime first, SimTime last, SimTime now);
  void StartFetch(ReferenceMove* move, int64_t blocks, SimTime now);
  // When an iteration that waits for the memory pool has what it needs. Over a link with a limit,
  // one after the other.
  SimTime FetchBlocking(int32_t worker, int64_t tokens, SimTime now);
  void StartSwap(ReferenceMove* move, SimTime now);
  void Cancel(ReferenceMove* move, SimTime now);

  [[nodiscard]] SimTime Next() const;
  // Those that have arrived now: of host memory last, else in order of the starts.
  std::vector<ReferenceMove*> Arrived(SimTime now);

 private:
  [[nodiscard]] std::optional<SimTime> UnlimitedEnd(const ReferenceMove& move) const;

  const Plan& plan_;
  Network network_;
  std::optional<LinkId> pool_link_;
  SimTime pool_link_free_ = 0;           // of those that iterations wait for
  std::vector<SimTime> host_link_free_;  // when the last copy of a worker ends
  std::vector<std::unique_ptr<ReferenceMove>> moves_;
  int64_t added_ = 0;
};

}  // namespace tokensim
