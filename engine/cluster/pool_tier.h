// The memory pool as a cluster uses it: what requests find in it, how long iterations wait for it,
// and how full it is over time.
//
//   pool.LookUp(&request, block_size);              // it arrived: what it found is pinned
//   pool.FinishFetch(conversation, tokens, now);    // that is at the worker
//   pool.EndTurn(request, /*finished=*/true, now);  // its whole KV cache is kept for the next turn
//
// Fetches beside the iterations are transfers like any other (kv_mover.h). Those that iterations
// wait for (PoolLoad::kBlocking) take the pool's own link, one after the other.
#pragma once

#include <cstdint>
#include <string>

#include "engine/base/time.h"
#include "engine/memory/memory_pool.h"
#include "engine/run/plan.h"
#include "engine/run/results.h"
#include "engine/run/timeline.h"
#include "engine/worker/live_request.h"
#include "engine/worker/worker.h"

namespace tokensim {

class PoolTier final : public PoolReader {
 public:
  // The plan has a memory pool, and outlives this.
  explicit PoolTier(const Plan& plan);

  // What the pool has of the request's conversation, up to whole blocks and but for the last token,
  // whose output is needed, becomes the source of its KV cache.
  void LookUp(LiveRequest* r, int32_t block_size);
  // What LookUp found is at the worker.
  void FinishFetch(int64_t conversation, int32_t tokens, SimTime now);
  // The same, of one that an iteration waited for.
  void FinishBlockingFetch(int64_t conversation, int32_t worker, int32_t tokens, SimTime now);
  // What LookUp found is not fetched any more.
  void Unpin(int64_t conversation, SimTime now);
  // The request got its last token, or was rejected.
  void EndTurn(const LiveRequest& r, bool finished, SimTime now);

  // How long the pool takes to find the blocks of so many tokens, in seconds.
  [[nodiscard]] double LookUpSeconds(int32_t worker, int32_t tokens) const;
  SimTime FetchFromPool(int32_t worker, int32_t tokens, SimTime now) override;

  [[nodiscard]] int64_t used_bytes() const { return pool_.used_bytes(); }
  // Adds what requests found and, after the run, how full the pool was: in intervals over `span`.
  void Conclude(SimTime end, SimTime span, Results* results);

 private:
  // The link that iterations wait for.
  struct Link {
    SimTime free = 0;        // when it has carried what it has to
    SimTime busy_until = 0;  // when the last of its transfers is there
    SimTime busy = 0;
    int64_t transfers = 0;  // that ended
    int64_t bytes = 0;
  };

  // Adds what the pool holds up to `now` to its timeline; before every change of it, and last.
  void Account(SimTime now);

  const Plan& plan_;
  const MemoryPoolConfig& config_;
  MemoryPool pool_;
  Timeline timeline_;
  SimTime accounted_ = 0;
  Link link_;
  int64_t hit_tokens_ = 0;
};

// Reports list links by name: an added one says what it belongs to.
[[nodiscard]] LinkConfig NamedLink(LinkConfig link, const std::string& owner);

}  // namespace tokensim
