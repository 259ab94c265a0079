// The KV cache memory of one worker: who holds blocks, who may have more, and what can be found.
//
//   pool       the blocks on the device. With prefix caching, full blocks can be found by content
//   promised   free blocks that are kept for the rest of prompts whose beginning loads or is loaded:
//              else several such prompts might wait for each other
//   host       the memory for caches that are swapped out
//   outgoing   caches of requests that went to another worker, which does not have all of it yet
//   padding    caches of finished requests that stay until their batch ends (static batching)
//
//   KvManager kv({.kv_blocks = 1000, .block_size = 16});
//   const Admission admission = kv.Plan(request);
//   if (kv.Fits(request, admission, tokens, /*alone=*/true)) kv.Admit(&request, admission, tokens);
//   kv.Extend(request, more_tokens);
//   kv.Free(kv.Take(&request));
//
// It knows requests that do not decode; the blocks of those that do come from `pool` in bulk.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "engine/memory/block_layout.h"
#include "engine/memory/block_pool.h"
#include "engine/memory/host_tier.h"
#include "engine/worker/group_cache.h"
#include "engine/worker/live_request.h"

namespace tokensim {

// The KV blocks of one request.
struct Holdings {
  int64_t blocks = 0;           // without findable content
  std::vector<BlockId> shared;  // findable: in order of the prompt, of windows behind the others
};

// What a request that waits needs to be admitted.
struct Admission {
  int32_t target = 0;       // tokens to have in the cache before its next token
  int32_t cached = 0;       // of them, there already
  int64_t held_blocks = 0;  // it has already
  int64_t free_hits = 0;    // cached blocks that count as free now
};

struct KvConfig {
  int64_t kv_blocks = 0;
  int32_t block_size = 16;
  // Outlives the manager; null: none but blocks of block_size. With states, no prefix caching.
  const BlockLayout* layout = nullptr;
  bool prefix_caching = false;
  bool reuses_unfindable_first = false;  // free blocks without content, before others
  int64_t host_blocks = 0;
  double watermark = 0;         // share of the blocks that stays free at an admission
  double max_memory_ratio = 1;  // share of the blocks that an admission of a new request may reach
};

class KvManager {
 public:
  explicit KvManager(const KvConfig& config);

  [[nodiscard]] BlockPool& pool() { return pool_; }
  [[nodiscard]] const BlockPool& pool() const { return pool_; }
  [[nodiscard]] const HostTier& host() const { return host_; }
  // What a request holds with so many tokens in the cache.
  [[nodiscard]] int64_t BlocksFor(int32_t tokens) const {
    return config_.layout == nullptr ? pool_.BlocksFor(tokens) : config_.layout->Held(tokens);
  }
  // The most that it holds on the way from `from` tokens to `to`.
  [[nodiscard]] int64_t BlocksToReach(int32_t from, int32_t to) const {
    return config_.layout == nullptr ? pool_.BlocksFor(to) : config_.layout->ToReach(from, to);
  }
  // What it has to get to compute the tokens from `from` on, up to `to`.
  [[nodiscard]] int64_t BlocksToAdd(int32_t from, int32_t to) const {
    return config_.layout == nullptr ? pool_.BlocksFor(to) - pool_.BlocksFor(from)
                                     : config_.layout->ToAdd(from, to);
  }
  [[nodiscard]] int64_t promised() const { return promised_; }

  // ---- Admission

  // What the request needs; looks into the prefix cache. Fits and Admit speak of the last plan.
  [[nodiscard]] Admission Plan(const LiveRequest& r);
  // Whether `tokens` of the request's cache may be allocated. `alone`: nothing runs or loads on the
  // worker.
  [[nodiscard]] bool Fits(const LiveRequest& r, const Admission& admission, int32_t tokens,
                          bool alone) const;
  // Whether that many blocks may be allocated: they are free and not promised and, if anybody else
  // is here, the watermark stays free and a new request keeps to max_memory_ratio.
  [[nodiscard]] bool HasRoom(int64_t blocks, bool is_new, bool alone) const;
  // The request takes the blocks that were found and those for `tokens` more.
  void Admit(LiveRequest* r, const Admission& admission, int32_t tokens);
  // Blocks for `tokens` more of its prompt.
  void Extend(const LiveRequest& r, int32_t tokens) {
    pool_.Allocate(BlocksToAdd(r.computed, r.computed + tokens));
  }
  // The next `tokens` of a prompt after the first `history` are computed: what left a window is
  // free.
  void GiveUp(LiveRequest* r, int32_t history, int32_t tokens) {
    if (config_.layout == nullptr) return;
    const int64_t blocks = config_.layout->ToGiveUp(history, history + tokens);
    if (blocks > 0) GiveUpBlocks(r, history + tokens, blocks);
  }
  // It decodes from the next iteration on.
  void BeginDecode(LiveRequest* r) {
    if (groups_) groups_->BeginDecode(r);
  }
  // An iteration with decodes ended, in which windows gave up so many blocks.
  void EndDecodeIteration(int64_t blocks) {
    if (groups_) return groups_->EndDecodeIteration(blocks, &pool_);
    if (blocks > 0) pool_.Free(blocks);
  }
  // The full blocks of its first `tokens` can be found from now on.
  void Register(LiveRequest* r, int32_t tokens);
  // Tokens of the prompt's beginning in the prefix cache.
  [[nodiscard]] int32_t HitTokens(const LiveRequest& r) const;

  // ---- Giving back

  // What a request holds; it holds nothing afterwards. Full blocks become findable.
  [[nodiscard]] Holdings Take(LiveRequest* r);
  void Free(const Holdings& holdings);
  // The request loses its blocks. With `swap` its cache moves to the host memory if there is room:
  // the blocks that moved, else 0.
  int64_t Drop(LiveRequest* r, bool swap);
  // Its cache comes back from the host memory at once: the blocks that moved.
  int64_t SwapIn(LiveRequest* r);

  // ---- Caches that load

  // Room for the cache that is elsewhere; what is missing of a prompt is promised until Redeem.
  void BeginLoad(const LiveRequest& r);
  // Room for the cache of a request that runs elsewhere.
  void ReserveLoad(const LiveRequest& r) { pool_.Allocate(BlocksFor(r.kv_tokens)); }
  void FinishLoad(LiveRequest* r);
  void CancelLoad(const LiveRequest& r) { pool_.Free(BlocksFor(r.kv_tokens)); }
  // A request whose beginning was loaded is admitted.
  void Redeem(const LiveRequest& r) {
    promised_ -= BlocksToReach(r.computed, r.prefill_target()) - BlocksFor(r.computed);
  }

  // ---- Blocks of requests that are not here any more

  void KeepOutgoing() { ++outgoing_; }
  void FreeOutgoing(const Holdings& holdings) {
    --outgoing_;
    Free(holdings);
  }
  [[nodiscard]] int32_t outgoing() const { return outgoing_; }
  void KeepAsPadding(Holdings holdings) { padding_.push_back(std::move(holdings)); }
  [[nodiscard]] int32_t padding_count() const { return static_cast<int32_t>(padding_.size()); }
  void ReleasePadding();

  // The memory is lost, and with it what this request has here.
  static void Forget(LiveRequest* r);
  void Clear();

 private:
  void GiveUpBlocks(LiveRequest* r, int32_t computed, int64_t blocks);

  const KvConfig config_;
  const int64_t watermark_blocks_;
  const int64_t new_blocks_limit_;  // blocks in use after the admission of a new request
  BlockPool pool_;
  HostTier host_;
  int64_t promised_ = 0;
  int32_t outgoing_ = 0;
  std::vector<Holdings> padding_;
  std::optional<GroupCache> groups_;  // with a layout and prefix caching
  // Of the last Plan.
  std::vector<BlockId> hits_;
  std::vector<WindowBlock> window_hits_;
};

}  // namespace tokensim
