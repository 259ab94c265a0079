#include "engine/memory/memory_pool.h"

#include <algorithm>

#include "engine/base/invariant.h"
#include "engine/memory/eviction.h"

namespace tokensim {

MemoryPool::MemoryPool(const MemoryPoolConfig& config)
    : capacity_(config.capacity_bytes > 0 ? config.capacity_bytes : kUnlimited),
      eviction_(config.eviction->Make({})) {}

MemoryPool::~MemoryPool() = default;

bool MemoryPool::Put(int64_t conversation, int32_t tokens, int64_t bytes_per_token) {
  const int64_t bytes = tokens * bytes_per_token;
  uint32_t id = IndexOf(conversation);
  const int64_t old_bytes = id == kNone ? 0 : entries_[id].bytes;
  const bool was_pinned = id != kNone && entries_[id].pins > 0;
  const int64_t pinned_others = pinned_ - (was_pinned ? old_bytes : 0);
  if (bytes > capacity_ - pinned_others) return false;
  EvictUntilFits(bytes - old_bytes, id);
  if (id == kNone) {
    id = Add(conversation);
  } else {
    Unlink(id);
  }
  Append(id);
  Entry& entry = entries_[id];
  entry.tokens = tokens;
  entry.bytes = bytes;
  entry.erased = false;
  used_ += bytes - old_bytes;
  if (was_pinned) pinned_ += bytes - old_bytes;
  max_used_ = std::max(max_used_, used_);
  return true;
}

int32_t MemoryPool::Find(int64_t conversation) {
  const uint32_t id = IndexOf(conversation);
  if (id == kNone || entries_[id].erased) return 0;
  ++hits_;
  const Entry& entry = entries_[id];
  switch (eviction_->OnUse({.bytes = entry.bytes, .tokens = entry.tokens})) {
    case EvictionMove::kStay:
      break;
    case EvictionMove::kToBack:
      Unlink(id);
      Append(id);
      break;
    case EvictionMove::kToFront:
      Unlink(id);
      Prepend(id);
      break;
  }
  return entries_[id].tokens;
}

void MemoryPool::Pin(int64_t conversation) {
  const uint32_t id = IndexOf(conversation);
  TOKENSIM_INVARIANT(id != kNone, "pinned conversation is not in the memory pool");
  if (entries_[id].pins++ == 0) pinned_ += entries_[id].bytes;
}

void MemoryPool::Unpin(int64_t conversation) {
  const uint32_t id = IndexOf(conversation);
  TOKENSIM_INVARIANT(id != kNone && entries_[id].pins > 0, "unpinned conversation has no pin");
  if (--entries_[id].pins > 0) return;
  pinned_ -= entries_[id].bytes;
  if (entries_[id].erased) Remove(id);
}

void MemoryPool::Erase(int64_t conversation) {
  const uint32_t id = IndexOf(conversation);
  if (id == kNone) return;
  if (entries_[id].pins > 0) {
    entries_[id].erased = true;
  } else {
    Remove(id);
  }
}

// Walks over pinned entries; there are as many as fetches in flight.
void MemoryPool::EvictUntilFits(int64_t bytes, uint32_t spared) {
  for (uint32_t id = head_; used_ + bytes > capacity_;) {
    TOKENSIM_INVARIANT(id != kNone, "nothing is left to evict");
    const uint32_t next = entries_[id].next;
    if (id != spared && entries_[id].pins == 0) {
      evicted_tokens_ += entries_[id].tokens;
      Remove(id);
    }
    id = next;
  }
}

uint32_t MemoryPool::Add(int64_t conversation) {
  uint32_t id = unused_;
  if (id != kNone) {
    unused_ = entries_[id].next;
  } else {
    id = static_cast<uint32_t>(entries_.size());
    entries_.emplace_back();
  }
  entries_[id] = {.conversation = conversation};
  index_.Insert(Key(conversation), id);
  return id;
}

void MemoryPool::Remove(uint32_t id) {
  used_ -= entries_[id].bytes;
  index_.Erase(Key(entries_[id].conversation));
  Unlink(id);
  entries_[id].next = unused_;
  unused_ = id;
}

void MemoryPool::Append(uint32_t id) {
  entries_[id].prev = tail_;
  entries_[id].next = kNone;
  (tail_ == kNone ? head_ : entries_[tail_].next) = id;
  tail_ = id;
}

void MemoryPool::Prepend(uint32_t id) {
  entries_[id].prev = kNone;
  entries_[id].next = head_;
  (head_ == kNone ? tail_ : entries_[head_].prev) = id;
  head_ = id;
}

void MemoryPool::Unlink(uint32_t id) {
  const Entry& entry = entries_[id];
  (entry.prev == kNone ? head_ : entries_[entry.prev].next) = entry.next;
  (entry.next == kNone ? tail_ : entries_[entry.next].prev) = entry.prev;
}

}  // namespace tokensim
