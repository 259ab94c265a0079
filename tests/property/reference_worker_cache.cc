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
  blocks_.GiveBackNames(GiveUpNameless(request));
}

std::vector<BlockName> ReferenceWorker::GiveUpNameless(ReferenceRequest* request) {
  ReferenceHoldings& held = request->held;
  const auto left =
      std::stable_partition(held.windowed.begin(), held.windowed.end(), [&](const BlockName& name) {
        return Keeps(groups_[static_cast<size_t>(name.group)].shape, name.block, request->computed);
      });
  const std::vector<BlockName> names(left, held.windowed.end());
  held.windowed.erase(left, held.windowed.end());
  blocks_.GiveBack(held.blocks() - BlocksOf(request->computed), &held);
  return names;
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
    hits = NamesOf(*request, cached);
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
  for (const BlockName& hit : hits) blocks_.Hit(hit, ListOf(hit, &request->held));
  request->offered = hits.empty() ? 0 : cached;
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

// Full blocks among the first `tokens` may be found by others, if they are still kept.
void ReferenceWorker::OfferBlocks(ReferenceRequest* request, int64_t tokens) {
  if (!plan_.prefix_caching) return;
  for (const ReferenceGroup& group : groups_) {
    const BlockGroup& shape = group.shape;
    for (int64_t block = request->offered / shape.block_size; block < tokens / shape.block_size;
         ++block) {
      const bool computed = block * shape.block_size < request->computed;
      if (computed && !Keeps(shape, block, request->computed)) continue;
      const BlockName name = NameOf(*request, group, block);
      blocks_.Name(name, &request->held, ListOf(name, &request->held));
    }
  }
  request->offered = std::max(request->offered, tokens);
}

std::vector<BlockName>* ReferenceWorker::ListOf(const BlockName& name,
                                                ReferenceHoldings* holder) const {
  const bool moves = groups_[static_cast<size_t>(name.group)].shape.window > 0;
  return moves ? &holder->windowed : &holder->named;
}

std::vector<BlockName> ReferenceWorker::NamesOf(const ReferenceRequest& request,
                                                int64_t tokens) const {
  std::vector<BlockName> names;
  for (const ReferenceGroup& group : groups_) {
    for (int64_t block = 0; block < tokens / group.shape.block_size; ++block) {
      if (Keeps(group.shape, block, tokens)) names.push_back(NameOf(request, group, block));
    }
  }
  return names;
}

// The most tokens, in whole blocks of every group, of which all that is kept can be found. The last
// token is computed in any case.
int64_t ReferenceWorker::HitTokens(const ReferenceRequest& request) const {
  if (!plan_.prefix_caching) return 0;
  int64_t tokens = (request.to_compute() - 1) / plan_.block_size * plan_.block_size;
  for (; tokens > 0; tokens -= plan_.block_size) {
    const std::vector<BlockName> names = NamesOf(request, tokens);
    if (std::all_of(names.begin(), names.end(),
                    [this](const BlockName& name) { return blocks_.Findable(name); })) {
      break;
    }
  }
  return tokens;
}

// Tokens of the front's prompt that need not be computed: they were loaded, or others have them.
int64_t ReferenceWorker::Cached(const ReferenceRequest& request) const {
  if (request.home == CacheHome::kPool) return request.stored;
  return request.computed > 0 ? request.computed : HitTokens(request);
}

// engine/memory/block_hash.h. Of the output, only a conversation's is known.
BlockName ReferenceWorker::NameOf(const ReferenceRequest& request, const ReferenceGroup& group,
                                  int64_t block) const {
  using Source = BlockName::Source;
  const RequestInput& input = request.input;
  const PromptContent& content = input.content;
  const int64_t end = (block + 1) * group.shape.block_size;
  BlockName name{.block = block, .group = group.group};
  if (input.conversation < 0 && end > input.input_tokens) return name;
  if (content.hash_block_tokens > 0) {
    const auto index = static_cast<size_t>((end - 1) / content.hash_block_tokens);
    if (index < content.hash_ids.size()) {
      name.source = Source::kTrace;
      name.id = content.hash_ids[index];
      return name;
    }
  }
  if (end <= content.prefix_tokens) {
    name.source = Source::kPrefixGroup;
    name.id = static_cast<int64_t>(content.prefix_group);
  } else if (input.conversation >= 0) {
    name.source = Source::kConversation;
    name.id = input.conversation;
  }
  return name;
}

int64_t ReferenceWorker::Needs(const ReferenceRequest& request) const {
  return BlocksInStep(plan_, request.computed, request.computed + 1) - request.held.blocks();
}

}  // namespace tokensim
