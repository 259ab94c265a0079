#include "engine/worker/group_cache.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/base/invariant.h"

namespace tokensim {
namespace {

// Blocks that are known to be there.
struct Verified {
  int64_t begin = 0;
  int64_t end = 0;
};

// Takes out the blocks that leave with so many tokens, in order.
std::vector<BlockId> TakeLeaving(std::vector<WindowBlock>* blocks, int32_t tokens) {
  std::vector<BlockId> leaving;
  for (const WindowBlock& block : *blocks) {
    if (block.leaves <= tokens) leaving.push_back(block.id);
  }
  std::erase_if(*blocks, [&](const WindowBlock& block) { return block.leaves <= tokens; });
  return leaving;
}

// To what a request holds.
void Keep(const BlockGroup& shape, int64_t block, BlockId id, std::vector<BlockId>* shared,
          std::vector<WindowBlock>* windowed) {
  if (shape.window == 0) {
    shared->push_back(id);
  } else {
    windowed->push_back({id, static_cast<int32_t>(TokensWhenGivenUp(shape, block))});
  }
}

void Release(const std::vector<BlockId>& blocks, PrefixCache* cache) {
  for (auto id = blocks.rbegin(); id != blocks.rend(); ++id) cache->Release(*id);
}

}  // namespace

uint64_t FindableHash(const LiveRequest& r, int64_t block, int32_t block_size) {
  if (r.extras == nullptr) return 0;
  const PromptText& text = r.extras->text;
  if ((block + 1) * block_size > r.input_tokens && text.conversation < 0) return 0;
  return BlockHash(text, block, block_size);
}

GroupCache::GroupCache(const BlockLayout& layout, int32_t common) : common_(common) {
  int32_t first = 0;
  for (const BlockGroup& shape : layout.config().groups) {
    TOKENSIM_INVARIANT(shape.state_blocks == 0 && common % shape.block_size == 0,
                       "a layout whose blocks cannot be found");
    groups_.push_back({shape, first});
    first += shape.count;
  }
}

bool GroupCache::Has(const PrefixCache& cache, const LiveRequest& r, const Group& group,
                     int64_t block) {
  const uint64_t hash = FindableHash(r, block, group.shape.block_size);
  if (hash == 0) return false;
  for (int32_t i = 0; i < group.shape.count; ++i) {
    if (cache.Find(GroupHash(hash, group.first + i)) == kNoBlock) return false;
  }
  return true;
}

int64_t GroupCache::Run(const PrefixCache& cache, const LiveRequest& r, const Group& group,
                        int64_t length) {
  const int64_t most = length / group.shape.block_size;
  int64_t block = 0;
  while (block < most && Has(cache, r, group, block)) ++block;
  return block * group.shape.block_size;
}

int32_t GroupCache::Find(const PrefixCache& cache, const LiveRequest& r, int32_t most,
                         std::vector<BlockId>* hits, std::vector<WindowBlock>* window_hits) const {
  int64_t length = most / common_ * common_;
  for (const Group& group : groups_) {
    if (group.shape.window == 0) length = Run(cache, r, group, length) / common_ * common_;
  }
  // Down to what all windows have; a block that is missing rules out every length that needs it.
  std::vector<Verified> verified(groups_.size());
  for (bool agreed = false; !agreed;) {
    agreed = true;
    for (size_t i = 0; i < groups_.size() && agreed; ++i) {
      const BlockGroup& shape = groups_[i].shape;
      if (shape.window == 0) continue;
      const int64_t begin = FirstKept(shape, length) / shape.block_size;
      const int64_t end = length / shape.block_size;
      Verified& known = verified[i];
      if (end > known.end || end <= known.begin) known = {end, end};
      while (known.begin > begin && Has(cache, r, groups_[i], known.begin - 1)) --known.begin;
      if (known.begin <= begin) continue;
      length = (known.begin - 1) * shape.block_size / common_ * common_;
      agreed = false;
    }
  }
  if (hits == nullptr || length == 0) return static_cast<int32_t>(length);
  for (const Group& group : groups_) {
    const BlockGroup& shape = group.shape;
    const int64_t end = length / shape.block_size;
    for (int32_t i = 0; i < shape.count; ++i) {
      for (int64_t block = FirstKept(shape, length) / shape.block_size; block < end; ++block) {
        const uint64_t hash = FindableHash(r, block, shape.block_size);
        Keep(shape, block, cache.Find(GroupHash(hash, group.first + i)), hits, window_hits);
      }
    }
  }
  return static_cast<int32_t>(length);
}

void GroupCache::Register(PrefixCache* cache, LiveRequest* r, int32_t tokens) const {
  for (const Group& group : groups_) {
    const BlockGroup& shape = group.shape;
    const int64_t begin =
        std::max<int64_t>(FirstKept(shape, r->computed), r->registered_tokens) / shape.block_size;
    const int64_t end = tokens / shape.block_size;
    for (int32_t i = 0; i < shape.count; ++i) {
      for (int64_t block = begin; block < end; ++block) {
        const uint64_t hash = FindableHash(*r, block, shape.block_size);
        if (hash == 0) continue;
        const BlockId id = cache->Insert(GroupHash(hash, group.first + i));
        if (id != kNoBlock) Keep(shape, block, id, &r->extras->shared, &r->extras->windowed);
      }
    }
  }
}

// ---- What windows leave behind

void GroupCache::GiveUp(LiveRequest* r, int32_t computed, int64_t blocks, BlockPool* pool) {
  std::vector<BlockId> leaving;
  if (r->extras != nullptr) leaving = TakeLeaving(&r->extras->windowed, computed);
  pool->Free(blocks - static_cast<int64_t>(leaving.size()));
  Release(leaving, pool->cache());
}

void GroupCache::Schedule(LiveRequest* r, int32_t tokens) {
  const std::vector<WindowBlock>& blocks = r->extras->windowed;
  if (blocks.empty()) return;
  const auto next = std::min_element(
      blocks.begin(), blocks.end(),
      [](const WindowBlock& a, const WindowBlock& b) { return a.leaves < b.leaves; });
  leaving_[iteration_ + next->leaves - tokens].push_back(
      {.stay = r->extras->window_stay, .request = r, .tokens = next->leaves});
}

void GroupCache::BeginDecode(LiveRequest* r) {
  if (r->extras == nullptr || r->extras->windowed.empty()) return;
  r->extras->window_owner = this;
  r->extras->window_stay = ++stays_;
  Schedule(r, r->computed);
}

void GroupCache::EndDecodeIteration(int64_t blocks, BlockPool* pool) {
  ++iteration_;
  std::vector<Leaving> due;
  if (!leaving_.empty() && leaving_.begin()->first == iteration_) {
    due = std::move(leaving_.begin()->second);
    leaving_.erase(leaving_.begin());
  }
  std::erase_if(due, [this](const Leaving& leaving) {
    const RequestExtras* extras = leaving.request->extras;
    return extras == nullptr || extras->window_owner != this ||
           extras->window_stay != leaving.stay || !leaving.request->decoding;
  });
  std::sort(due.begin(), due.end(),
            [](const Leaving& a, const Leaving& b) { return a.stay < b.stay; });
  std::vector<std::vector<BlockId>> released;
  for (const Leaving& leaving : due) {
    released.push_back(TakeLeaving(&leaving.request->extras->windowed, leaving.tokens));
    blocks -= static_cast<int64_t>(released.back().size());
    Schedule(leaving.request, leaving.tokens);
  }
  if (blocks > 0) pool->Free(blocks);
  for (const std::vector<BlockId>& left : released) Release(left, pool->cache());
}

void GroupCache::Clear() { leaving_.clear(); }

}  // namespace tokensim
