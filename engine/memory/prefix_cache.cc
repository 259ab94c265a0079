#include "engine/memory/prefix_cache.h"

#include "engine/base/invariant.h"

namespace tokensim {

static_assert(kNoBlock == HashIndex::kNotFound);

void PrefixCache::Take(int64_t blocks) {
  TOKENSIM_INVARIANT(blocks >= 0 && blocks <= free_, "KV blocks allocated beyond the pool");
  free_ -= blocks;
  while (blocks > 0) {
    const BlockId id = head_;
    Node& front = nodes_[id];
    if (front.refs == kRun) {
      const auto length = static_cast<int64_t>(front.key);
      if (length > blocks) {
        front.key -= static_cast<uint64_t>(blocks);
        return;
      }
      blocks -= length;
    } else {
      index_.Erase(front.key);
      --cached_free_;
      --blocks;
    }
    Unlink(id);
    DropNode(id);
  }
}

void PrefixCache::Return(int64_t blocks) {
  TOKENSIM_INVARIANT(blocks >= 0 && free_ + blocks + cached() - cached_free_ <= total_,
                     "KV blocks freed that were not allocated");
  if (blocks == 0) return;
  free_ += blocks;
  const BlockId neighbour = reuses_unfindable_first_ ? head_ : tail_;
  if (IsRun(neighbour)) {
    nodes_[neighbour].key += static_cast<uint64_t>(blocks);
    return;
  }
  const BlockId run = NewNode(static_cast<uint64_t>(blocks), kRun);
  reuses_unfindable_first_ ? Prepend(run) : Append(run);
}

void PrefixCache::Acquire(BlockId id) {
  TOKENSIM_INVARIANT(id < nodes_.size() && nodes_[id].refs >= 0, "not a findable KV block");
  if (nodes_[id].refs++ > 0) return;
  --free_;
  --cached_free_;
  const BlockId prev = nodes_[id].prev;
  const BlockId next = nodes_[id].next;
  Unlink(id);
  if (IsRun(prev) && IsRun(next)) {
    nodes_[prev].key += nodes_[next].key;
    Unlink(next);
    DropNode(next);
  }
}

BlockId PrefixCache::Insert(uint64_t hash) {
  TOKENSIM_INVARIANT(free_ + cached() - cached_free_ < total_, "the caller holds no KV block");
  if (index_.Find(hash) != kNoBlock) return kNoBlock;
  const BlockId id = NewNode(hash, 1);
  index_.Insert(hash, id);
  return id;
}

void PrefixCache::Release(BlockId id) {
  TOKENSIM_INVARIANT(id < nodes_.size() && nodes_[id].refs > 0, "nobody holds this KV block");
  if (--nodes_[id].refs > 0) return;
  ++free_;
  ++cached_free_;
  Append(id);
}

void PrefixCache::Clear() {
  index_.Clear();
  nodes_.clear();
  unused_ = head_ = tail_ = kNoBlock;
  free_ = cached_free_ = 0;
  Return(total_);
}

BlockId PrefixCache::NewNode(uint64_t key, int32_t refs) {
  BlockId id = unused_;
  if (id != kNoBlock) {
    unused_ = nodes_[id].next;
  } else {
    id = static_cast<BlockId>(nodes_.size());
    TOKENSIM_INVARIANT(id != kNoBlock, "more than 2^32 - 1 findable KV blocks");
    nodes_.emplace_back();
  }
  nodes_[id] = {.key = key, .refs = refs};
  return id;
}

void PrefixCache::DropNode(BlockId id) {
  nodes_[id] = {.next = unused_, .refs = kRun};  // as a run it is no findable block
  unused_ = id;
}

void PrefixCache::Append(BlockId id) {
  nodes_[id].prev = tail_;
  nodes_[id].next = kNoBlock;
  (tail_ == kNoBlock ? head_ : nodes_[tail_].next) = id;
  tail_ = id;
}

void PrefixCache::Prepend(BlockId id) {
  nodes_[id].next = head_;
  (head_ == kNoBlock ? tail_ : nodes_[head_].prev) = id;
  head_ = id;
}

void PrefixCache::Unlink(BlockId id) {
  const Node& node = nodes_[id];
  (node.prev == kNoBlock ? head_ : nodes_[node.prev].next) = node.next;
  (node.next == kNoBlock ? tail_ : nodes_[node.next].prev) = node.prev;
}

}  // namespace tokensim
