// The KV caches of a worker of the reference simulator: who is admitted with which blocks, what
// comes, what leaves, what is found.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "tests/property/reference_worker.h"

namespace tokensim {

// ---- Admission, and caches that come and go

void ReferenceWorker::Grow(ReferenceRequest* request, int64_t tokens) {
  const int64_t blocks = BlocksInStep(plan_, request->computed, request->computed + tokens);
  blocks_.Take(blocks - request->held.blocks(), &request->held);
}

void ReferenceWorker::AddComputed(ReferenceRequest* request, int64_t tokens) {
  request->computed += tokens;
  blocks_.GiveBack(request->held.blocks() - BlocksOf(request->computed), &request->held);
}

// The next tokens of a prompt are in the batch.
void ReferenceWorker::Compute(ReferenceRequest* request, int64_t tokens) {
  forming_->steps.push_back({request, tokens, request->computed, false});
  OfferBlocks(request, request->computed + tokens);
}

bool ReferenceWorker::Admit(int64_t tokens, int64_t cached, int64_t reserved) {
  ReferenceRequest* request = Front();
  std::vector<BlockName> hits;
  const bool fetched = request->home == CacheHome::kPool;
  if (request->computed == 0 && !fetched) {
    for (int64_t i = 0; i < cached / plan_.block_size; ++i) hits.push_back(NameOf(*request, i));
  }
  const int64_t held_by_others =
      std::count_if(hits.begin(), hits.end(), [this](const auto& b) { return blocks_.Held(b); });
  const int64_t blocks =
      BlocksToReach(plan_, cached, reserved) - request->held.blocks() - held_by_others;
  const bool loaded = !loaded_.empty();
  if (loaded ? blocks > blocks_.free() : !HasRoom(blocks, !request->ran_here)) return false;
  if (loaded) {
    loaded_.erase(loaded_.begin());
  } else {
    waiting_.Pop();
  }
  running_.push_back(request);
  request->ran_here = true;
  if (fetched) forming_->fetches.emplace_back(request, cached);
  for (const BlockName& hit : hits) blocks_.Hit(hit, &request->held);
  request->offered = static_cast<int64_t>(hits.size());
  request->computed = cached;
  request->target = request->to_compute();
  if (request->record.scheduled == kUnset) {
    request->record.cached_tokens =
        static_cast<int32_t>(std::min<int64_t>(cached, request->record.input_tokens));
  }
  waiting_.Charge(request->input.client_class, request->target - cached);
  Grow(request, tokens);
  Compute(request, tokens);
  return true;
}

// The front's KV cache is elsewhere: it comes back before the iteration, or begins to be loaded.
bool ReferenceWorker::AdmitStored() {
  ReferenceRequest* request = waiting_.front();
  const int64_t tokens = request->resumes() ? request->stored + 1 : request->to_compute();
  if (!HasRoom(BlocksToReach(plan_, request->stored, tokens), !request->ran_here)) return false;
  waiting_.Pop();
  blocks_.Take(BlocksOf(request->stored), &request->held);
  if (request->home != CacheHome::kHost || plan_.overlap_swap) {
    loading_.push_back(request);
    messages_.push_back({ReferenceMessage::Kind::kLoad, request});
    return true;
  }
  request->home = CacheHome::kNowhere;
  request->computed = request->stored;
  host_used_ -= request->held.blocks();
  stats_.swapped_in_blocks += request->held.blocks();
  forming_->swapped_blocks += request->held.blocks();
  Resume(request);
  Grow(request, 1);
  forming_->steps.push_back({request, 1, request->computed, true});
  return true;
}

void ReferenceWorker::FinishLoad(ReferenceRequest* request) {
  if (request->home == CacheHome::kHost) {
    host_used_ -= request->held.blocks();
    stats_.swapped_in_blocks += request->held.blocks();
  }
  const bool resumes = request->resumes();
  request->home = CacheHome::kNowhere;
  request->computed = request->stored;
  std::erase(loading_, request);
  (resumes ? ready_ : loaded_).push_back(request);
}

bool ReferenceWorker::ReserveLoad(ReferenceRequest* request, int64_t tokens) {
  if (has_waiting() || slots() >= plan_.scheduler.max_num_seqs ||
      !HasRoom(BlocksToReach(plan_, tokens, tokens + 1), /*is_new=*/true)) {
    return false;
  }
  blocks_.Take(BlocksOf(tokens), &request->reserved);
  request->reserved_at = index_;
  loading_.push_back(request);
  return true;
}

void ReferenceWorker::CancelLoad(ReferenceRequest* request) {
  std::erase(loading_, request);
  const bool reserved = request->reserved_at == index_;
  blocks_.GiveBack(reserved ? &request->reserved : &request->held);
  (reserved ? request->reserved_at : request->at) = -1;
}

ReferenceHoldings ReferenceWorker::TakeOutgoing(ReferenceRequest* request) {
  OfferBlocks(request, request->computed);
  request->offered = 0;
  request->computed = 0;
  request->target = request->to_compute();
  return std::exchange(request->held, {});
}

void ReferenceWorker::FreeOutgoing(ReferenceHoldings* holdings) {
  --outgoing_;
  blocks_.GiveBack(holdings);
}

// ---- Blocks

bool ReferenceWorker::HasRoom(int64_t blocks, bool is_new, bool alone) const {
  // What was promised to those whose prompts are partly loaded is theirs.
  int64_t free = blocks_.free();
  for (const auto* partly : {&loading_, &loaded_}) {
    for (const ReferenceRequest* request : *partly) {
      if (request->home == CacheHome::kPool || partly == &loaded_) {
        const int64_t here = partly == &loaded_ ? request->computed : request->stored;
        free -= BlocksToReach(plan_, here, request->to_compute()) - request->held.blocks();
      }
    }
  }
  if (blocks > free) return false;
  if (alone) return true;  // else it might wait forever
  const auto share = [this](double part) {
    return static_cast<int64_t>(part * static_cast<double>(plan_.kv_blocks));
  };
  if (blocks_.free() - blocks < share(plan_.scheduler.watermark)) return false;
  return !is_new || blocks_.used() + blocks <= share(plan_.scheduler.max_memory_ratio);
}

// Full blocks among the first `tokens` may be found by others.
void ReferenceWorker::OfferBlocks(ReferenceRequest* request, int64_t tokens) {
  if (!plan_.prefix_caching) return;
  for (; request->offered < tokens / plan_.block_size; ++request->offered) {
    blocks_.Name(NameOf(*request, request->offered), &request->held);
  }
}

int64_t ReferenceWorker::HitTokens(const ReferenceRequest& request) const {
  if (!plan_.prefix_caching) return 0;
  // The last token is computed in any case.
  int64_t block = 0;
  while ((block + 1) * plan_.block_size < request.to_compute() &&
         blocks_.Findable(NameOf(request, block))) {
    ++block;
  }
  return block * plan_.block_size;
}

// Tokens of the front's prompt that need not be computed: they were loaded, or others have them.
int64_t ReferenceWorker::Cached(const ReferenceRequest& request) const {
  if (request.home == CacheHome::kPool) return request.stored;
  return request.computed > 0 ? request.computed : HitTokens(request);
}

// engine/memory/block_hash.h. Of the output, only a conversation's is known.
BlockName ReferenceWorker::NameOf(const ReferenceRequest& request, int64_t block) const {
  using Source = BlockName::Source;
  const RequestInput& input = request.input;
  const PromptContent& content = input.content;
  const int64_t end = (block + 1) * plan_.block_size;
  if (input.conversation < 0 && end > input.input_tokens) return {};
  if (content.hash_block_tokens > 0) {
    const auto index = static_cast<size_t>((end - 1) / content.hash_block_tokens);
    if (index < content.hash_ids.size()) return {Source::kTrace, content.hash_ids[index], block};
  }
  if (end <= content.prefix_tokens) {
    return {Source::kPrefixGroup, static_cast<int64_t>(content.prefix_group), block};
  }
  if (input.conversation >= 0) return {Source::kConversation, input.conversation, block};
  return {};
}

int64_t ReferenceWorker::Needs(const ReferenceRequest& request) const {
  return BlocksInStep(plan_, request.computed, request.computed + 1) - request.held.blocks();
}

}  // namespace tokensim
