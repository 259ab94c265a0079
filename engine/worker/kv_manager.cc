#include "engine/worker/kv_manager.h"

#include <algorithm>

namespace tokensim {
namespace {

int64_t Share(double share, int64_t blocks) {
  return static_cast<int64_t>(share * static_cast<double>(blocks));
}

}  // namespace

KvManager::KvManager(const KvConfig& config)
    : config_(config),
      watermark_blocks_(Share(config.watermark, config.kv_blocks)),
      new_blocks_limit_(Share(config.max_memory_ratio, config.kv_blocks)),
      pool_(config.kv_blocks, config.block_size, config.prefix_caching,
            config.reuses_unfindable_first),
      host_(config.host_blocks) {
  if (config.layout != nullptr && config.prefix_caching) {
    groups_.emplace(*config.layout, config.block_size);
  }
}

// ---- Admission

Admission KvManager::Plan(const LiveRequest& r) {
  Admission admission{.target = r.prefill_target(), .cached = r.computed};
  hits_.clear();
  window_hits_.clear();
  if (r.computed > 0) {  // its cached beginning was loaded
    admission.held_blocks = BlocksFor(r.computed);
    return admission;
  }
  if (r.kv_source == KvSource::kPool) {  // it is fetched before the batch starts
    admission.cached = r.kv_tokens;
    return admission;
  }
  if (pool_.cache() == nullptr) return admission;
  // The last token is computed in any case: its output is needed.
  const int32_t most = admission.target - 1;
  const PrefixCache& cache = *pool_.cache();
  if (groups_) {
    admission.cached = groups_->Find(cache, r, most, &hits_, &window_hits_);
  } else {
    for (int32_t i = 0; i < most / config_.block_size; ++i) {
      const uint64_t hash = FindableHash(r, i, config_.block_size);
      const BlockId id = hash == 0 ? kNoBlock : cache.Find(hash);
      if (id == kNoBlock) break;
      hits_.push_back(id);
    }
    admission.cached = static_cast<int32_t>(hits_.size()) * config_.block_size;
  }
  for (const BlockId id : hits_) admission.free_hits += cache.refs(id) == 0;
  for (const WindowBlock& block : window_hits_) admission.free_hits += cache.refs(block.id) == 0;
  return admission;
}

bool KvManager::HasRoom(int64_t blocks, bool is_new, bool alone) const {
  if (blocks > pool_.free() - promised_) return false;
  if (alone) return true;
  return pool_.free() - blocks >= watermark_blocks_ &&
         (!is_new || pool_.used() + blocks <= new_blocks_limit_);
}

bool KvManager::Fits(const LiveRequest& r, const Admission& admission, int32_t tokens,
                     bool alone) const {
  const auto hits = static_cast<int64_t>(hits_.size() + window_hits_.size());
  const int64_t blocks =
      BlocksToReach(admission.cached, tokens) - admission.held_blocks - hits + admission.free_hits;
  if (admission.held_blocks > 0) return blocks <= pool_.free();  // it has been admitted
  return HasRoom(blocks, !r.ran_here, alone);
}

void KvManager::Admit(LiveRequest* r, const Admission& admission, int32_t tokens) {
  const auto hits = static_cast<int64_t>(hits_.size() + window_hits_.size());
  if (hits > 0) {
    for (const BlockId id : hits_) pool_.cache()->Acquire(id);
    for (const WindowBlock& block : window_hits_) pool_.cache()->Acquire(block.id);
    r->extras->shared = hits_;
    r->extras->windowed = window_hits_;
    r->registered_tokens = admission.cached;
  }
  const int64_t held = std::max(admission.held_blocks, hits);
  pool_.Allocate(BlocksFor(admission.cached) +
                 BlocksToAdd(admission.cached, admission.cached + tokens) - held);
  r->computed = admission.cached;
}

void KvManager::GiveUpBlocks(LiveRequest* r, int32_t computed, int64_t blocks) {
  if (groups_) {
    groups_->GiveUp(r, computed, blocks, &pool_);
  } else {
    pool_.Free(blocks);
  }
}

void KvManager::Register(LiveRequest* r, int32_t tokens) {
  if (pool_.cache() == nullptr) return;
  if (groups_) {
    groups_->Register(pool_.cache(), r, tokens);
  } else {
    const int32_t full = tokens / config_.block_size;
    for (int32_t i = r->registered_tokens / config_.block_size; i < full; ++i) {
      const uint64_t hash = FindableHash(*r, i, config_.block_size);
      if (hash == 0) continue;
      const BlockId id = pool_.cache()->Insert(hash);
      if (id != kNoBlock) r->extras->shared.push_back(id);
    }
  }
  r->registered_tokens = std::max(r->registered_tokens, tokens);
}

int32_t KvManager::HitTokens(const LiveRequest& r) const {
  if (pool_.cache() == nullptr) return 0;
  const int32_t most = r.prefill_target() - 1;
  if (groups_) return groups_->Find(*pool_.cache(), r, most, nullptr, nullptr);
  int32_t block = 0;
  for (; block < most / config_.block_size; ++block) {
    const uint64_t hash = FindableHash(r, block, config_.block_size);
    if (hash == 0 || pool_.cache()->Find(hash) == kNoBlock) break;
  }
  return block * config_.block_size;
}

// ---- Giving back

Holdings KvManager::Take(LiveRequest* r) {
  Register(r, r->computed);
  Holdings holdings;
  if (r->extras != nullptr) {
    holdings.shared.swap(r->extras->shared);
    for (const WindowBlock& block : r->extras->windowed) holdings.shared.push_back(block.id);
    r->extras->windowed.clear();
    r->extras->window_owner = nullptr;
  }
  holdings.blocks = BlocksFor(r->computed) - static_cast<int64_t>(holdings.shared.size());
  r->registered_tokens = 0;
  return holdings;
}

void KvManager::Free(const Holdings& holdings) {
  pool_.Free(holdings.blocks);
  for (auto id = holdings.shared.rbegin(); id != holdings.shared.rend(); ++id) {
    pool_.cache()->Release(*id);
  }
}

int64_t KvManager::Drop(LiveRequest* r, bool swap) {
  const int32_t computed = r->computed;
  const int64_t blocks = BlocksFor(computed);
  Free(Take(r));
  r->computed = 0;
  if (!swap || !host_.CanHold(blocks)) return 0;
  host_.Allocate(blocks);
  r->kv_source = KvSource::kHost;
  r->kv_tokens = computed;
  return blocks;
}

int64_t KvManager::SwapIn(LiveRequest* r) {
  const int64_t blocks = BlocksFor(r->kv_tokens);
  pool_.Allocate(blocks);
  host_.Free(blocks);
  r->computed = r->kv_tokens;
  r->kv_source = KvSource::kNone;
  return blocks;
}

// ---- Caches that load

void KvManager::BeginLoad(const LiveRequest& r) {
  const int64_t blocks = BlocksFor(r.kv_tokens);
  pool_.Allocate(blocks);
  if (!r.resumes()) promised_ += BlocksToReach(r.kv_tokens, r.prefill_target()) - blocks;
}

void KvManager::FinishLoad(LiveRequest* r) {
  if (r->kv_source == KvSource::kHost) host_.Free(BlocksFor(r->kv_tokens));
  r->computed = r->kv_tokens;
  r->kv_source = KvSource::kNone;
}

// ---- Blocks of requests that are not here any more

void KvManager::ReleasePadding() {
  for (const Holdings& holdings : padding_) Free(holdings);
  padding_.clear();
}

void KvManager::Forget(LiveRequest* r) {
  if (r->extras != nullptr) {
    r->extras->shared.clear();
    r->extras->windowed.clear();
    r->extras->window_owner = nullptr;
  }
  r->registered_tokens = 0;
  r->computed = 0;
  if (r->kv_source == KvSource::kHost) r->kv_source = KvSource::kNone;
}

void KvManager::Clear() {
  padding_.clear();
  promised_ = 0;
  outgoing_ = 0;
  host_.Free(host_.used());
  if (groups_) groups_->Clear();
  pool_ = BlockPool(config_.kv_blocks, config_.block_size, config_.prefix_caching,
                    config_.reuses_unfindable_first);
}

}  // namespace tokensim
