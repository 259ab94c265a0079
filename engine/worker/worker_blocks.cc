// How a worker's requests get KV blocks and give them back: admission, caches that are loaded,
// findable blocks.
#include <algorithm>
#include <utility>

#include "engine/base/invariant.h"
#include "engine/worker/worker_state.h"

namespace tokensim {

// ---- Admission

Admission WorkerState::PlanFront() {
  const LiveRequest& r = front();
  Admission admission{.target = r.prefill_target(), .cached = r.computed};
  hits_.clear();
  if (r.computed > 0) {  // its cached beginning was loaded
    admission.held_blocks = pool_.BlocksFor(r.computed);
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

bool WorkerState::HasRoom(int64_t blocks, bool is_new) const {
  if (blocks > pool_.free() - promised_) return false;
  if (slots_used() == 0) return true;
  return pool_.free() - blocks >= watermark_blocks_ &&
         (!is_new || pool_.used() + blocks <= new_blocks_limit_);
}

bool WorkerState::Fits(const Admission& admission, int32_t tokens) const {
  const LiveRequest& r = front();
  const int64_t hits = static_cast<int64_t>(hits_.size());
  const int64_t blocks =
      pool_.BlocksFor(tokens) - admission.held_blocks - hits + admission.free_hits;
  if (admission.held_blocks > 0) return blocks <= pool_.free();  // it has been admitted
  return HasRoom(blocks, !r.ran_here);
}

void WorkerState::AdmitFront(const Admission& admission, int32_t tokens) {
  const RequestHandle handle = PopFront();
  LiveRequest& r = slab_[handle];
  AppendRunning(handle);
  if (!hits_.empty()) {
    for (const BlockId id : hits_) pool_.cache()->Acquire(id);
    r.shared = hits_;
    r.registered_blocks = static_cast<int32_t>(hits_.size());
  }
  const int64_t held = std::max(admission.held_blocks, static_cast<int64_t>(hits_.size()));
  pool_.Allocate(pool_.BlocksFor(admission.cached + tokens) - held);
  r.computed = admission.cached;
  if (r.scheduled == kUnset) r.cached_tokens = std::min(admission.cached, r.input_tokens);
  pending_tokens_ += r.prefill_target() - r.computed;
  waiting_.Charge(r.client_class, r.prefill_target() - r.computed);
  if (r.kv_source == KvSource::kPool) batch_->fetches.push_back({handle, r.kv_tokens});
  AddChunk(handle, tokens);
  if (r.computed + tokens < r.prefill_target()) unfinished_ = handle;
}

std::optional<int32_t> WorkerState::AdmitRemoteFront() {
  const LiveRequest& r = front();
  const int32_t tokens = r.resumes() ? r.kv_tokens + 1 : r.prefill_target();
  if (!HasRoom(pool_.BlocksFor(tokens), !r.ran_here)) return std::nullopt;
  const RequestHandle handle = PopFront();
  if (r.kv_source == KvSource::kHost && !config_.overlap_swap) {
    SwapIn(handle);
    return 1;
  }
  StartLoad(handle);
  return 0;
}

void WorkerState::SwapIn(RequestHandle handle) {
  LiveRequest& r = slab_[handle];
  const int64_t blocks = pool_.BlocksFor(r.kv_tokens);
  pool_.Allocate(blocks);
  host_.Free(blocks);
  batch_->swapped_blocks += blocks;
  batch_->swapped_in.push_back(handle);
  r.computed = r.kv_tokens;
  r.kv_source = KvSource::kNone;
  AddLateDecode(handle);
}

void WorkerState::StartLoad(RequestHandle handle) {
  const LiveRequest& r = slab_[handle];
  const int64_t blocks = pool_.BlocksFor(r.kv_tokens);
  pool_.Allocate(blocks);
  if (!r.resumes()) promised_ += pool_.BlocksFor(r.prefill_target()) - blocks;
  ++loading_;
  loading_requests_.push_back(handle);
  loads_begun_.push_back(handle);
}

bool WorkerState::ReserveLoad(RequestHandle handle) {
  const LiveRequest& r = slab_[handle];
  if (has_waiting() || slots_used() >= scheduler_.max_num_seqs ||
      !HasRoom(pool_.BlocksFor(r.kv_tokens + 1), /*is_new=*/true)) {
    return false;
  }
  pool_.Allocate(pool_.BlocksFor(r.kv_tokens));
  ++loading_;
  ++reserved_;
  loading_requests_.push_back(handle);
  return true;
}

void WorkerState::FinishLoad(RequestHandle handle) {
  LiveRequest& r = slab_[handle];
  std::erase(loading_requests_, handle);
  if (r.kv_source == KvSource::kHost) host_.Free(pool_.BlocksFor(r.kv_tokens));
  const bool resumes = r.resumes();
  const bool from_pool = r.kv_source == KvSource::kPool;
  r.computed = r.kv_tokens;
  r.kv_source = KvSource::kNone;
  if (resumes) {
    ready_.push_back(handle);
    return;
  }
  TOKENSIM_INVARIANT(from_pool, "a load without a source");
  --loading_;
  loaded_.push_back(handle);
  pending_tokens_ += r.prefill_target() - r.computed;
}

void WorkerState::CancelLoad(RequestHandle handle) {
  const LiveRequest& r = slab_[handle];
  std::erase(loading_requests_, handle);
  --loading_;
  if (r.kv_source == KvSource::kNone) --reserved_;  // it still runs elsewhere
  pool_.Free(pool_.BlocksFor(r.kv_tokens));
}

// ---- Blocks

uint64_t WorkerState::HashOf(const LiveRequest& r, int32_t block) const {
  // Of the output, only a conversation's is known.
  if (int64_t{block + 1} * config_.block_size > r.input_tokens && r.text.conversation < 0) return 0;
  return BlockHash(r.text, block, config_.block_size);
}

void WorkerState::RegisterBlocks(LiveRequest& r, int32_t tokens) {
  if (pool_.cache() == nullptr) return;
  const int32_t full = tokens / config_.block_size;
  for (; r.registered_blocks < full; ++r.registered_blocks) {
    const uint64_t hash = HashOf(r, r.registered_blocks);
    if (hash == 0) continue;
    const BlockId id = pool_.cache()->Insert(hash);
    if (id != kNoBlock) r.shared.push_back(id);
  }
}

int32_t WorkerState::HitTokens(const LiveRequest& r) const {
  if (pool_.cache() == nullptr) return 0;
  const int32_t most = (r.prefill_target() - 1) / config_.block_size;
  int32_t block = 0;
  for (; block < most; ++block) {
    const uint64_t hash = HashOf(r, block);
    if (hash == 0 || pool_.cache()->Find(hash) == kNoBlock) break;
  }
  return block * config_.block_size;
}

Holdings WorkerState::TakeHoldings(RequestHandle handle) {
  LiveRequest& r = slab_[handle];
  RegisterBlocks(r, r.computed);
  Holdings holdings{.shared = std::move(r.shared)};
  holdings.blocks = pool_.BlocksFor(r.computed) - static_cast<int64_t>(holdings.shared.size());
  r.shared.clear();
  r.registered_blocks = 0;
  return holdings;
}

void WorkerState::Free(const Holdings& holdings) {
  pool_.Free(holdings.blocks);
  for (auto id = holdings.shared.rbegin(); id != holdings.shared.rend(); ++id) {
    pool_.cache()->Release(*id);
  }
}

void WorkerState::FreeOutgoing(const Holdings& holdings) {
  --outgoing_;
  Free(holdings);
}

void WorkerState::KeepAsPadding(Holdings holdings) { padding_.push_back(std::move(holdings)); }

void WorkerState::ReleasePadding() {
  for (const Holdings& holdings : padding_) Free(holdings);
  padding_.clear();
}

}  // namespace tokensim
