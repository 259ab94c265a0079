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
      pool_(config.kv_blocks, config.block_size, config.prefix_caching),
      host_(config.host_blocks) {}

// ---- Admission

Admission KvManager::Plan(const LiveRequest& r) {
  Admission admission{.target = r.prefill_target(), .cached = r.computed};
  hits_.clear();
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
  const int32_t most = (admission.target - 1) / config_.block_size;
  const PrefixCache& cache = *pool_.cache();
  for (int32_t i = 0; i < most; ++i) {
    const uint64_t hash = HashOf(r, i);
    const BlockId id = hash == 0 ? kNoBlock : cache.Find(hash);
    if (id == kNoBlock) break;
    hits_.push_back(id);
    if (cache.refs(id) == 0) ++admission.free_hits;
  }
  admission.cached = static_cast<int32_t>(hits_.size()) * config_.block_size;
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
  const int64_t hits = static_cast<int64_t>(hits_.size());
  const int64_t blocks =
      BlocksToReach(admission.cached, tokens) - admission.held_blocks - hits + admission.free_hits;
  if (admission.held_blocks > 0) return blocks <= pool_.free();  // it has been admitted
  return HasRoom(blocks, !r.ran_here, alone);
}

void KvManager::Admit(LiveRequest* r, const Admission& admission, int32_t tokens) {
  if (!hits_.empty()) {
    for (const BlockId id : hits_) pool_.cache()->Acquire(id);
    r->extras->shared = hits_;
    r->registered_blocks = static_cast<int32_t>(hits_.size());
  }
  const int64_t held = std::max(admission.held_blocks, static_cast<int64_t>(hits_.size()));
  pool_.Allocate(BlocksFor(admission.cached) +
                 BlocksToAdd(admission.cached, admission.cached + tokens) - held);
  r->computed = admission.cached;
}

uint64_t KvManager::HashOf(const LiveRequest& r, int32_t block) const {
  // Of the output, only a conversation's is known.
  if (r.extras == nullptr) return 0;
  const PromptText& text = r.extras->text;
  if (int64_t{block + 1} * config_.block_size > r.input_tokens && text.conversation < 0) return 0;
  return BlockHash(text, block, config_.block_size);
}

void KvManager::Register(LiveRequest* r, int32_t tokens) {
  if (pool_.cache() == nullptr) return;
  const int32_t full = tokens / config_.block_size;
  for (; r->registered_blocks < full; ++r->registered_blocks) {
    const uint64_t hash = HashOf(*r, r->registered_blocks);
    if (hash == 0) continue;
    const BlockId id = pool_.cache()->Insert(hash);
    if (id != kNoBlock) r->extras->shared.push_back(id);
  }
}

int32_t KvManager::HitTokens(const LiveRequest& r) const {
  if (pool_.cache() == nullptr) return 0;
  const int32_t most = (r.prefill_target() - 1) / config_.block_size;
  int32_t block = 0;
  for (; block < most; ++block) {
    const uint64_t hash = HashOf(r, block);
    if (hash == 0 || pool_.cache()->Find(hash) == kNoBlock) break;
  }
  return block * config_.block_size;
}

// ---- Giving back

Holdings KvManager::Take(LiveRequest* r) {
  Register(r, r->computed);
  Holdings holdings;
  if (r->extras != nullptr) holdings.shared.swap(r->extras->shared);
  holdings.blocks = BlocksFor(r->computed) - static_cast<int64_t>(holdings.shared.size());
  r->registered_blocks = 0;
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
  if (r->extras != nullptr) r->extras->shared.clear();
  r->registered_blocks = 0;
  r->computed = 0;
  if (r->kv_source == KvSource::kHost) r->kv_source = KvSource::kNone;
}

void KvManager::Clear() {
  padding_.clear();
  promised_ = 0;
  outgoing_ = 0;
  host_.Free(host_.used());
  pool_ = BlockPool(config_.kv_blocks, config_.block_size, config_.prefix_caching);
}

}  // namespace tokensim
