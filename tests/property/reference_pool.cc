#include "tests/property/reference_pool.h"

#include <algorithm>

#include "engine/memory/eviction.h"

namespace tokensim {

std::vector<ReferencePool::Entry>::iterator ReferencePool::At(int64_t conversation) {
  return std::find_if(entries_.begin(), entries_.end(), [conversation](const Entry& entry) {
    return entry.conversation == conversation;
  });
}

int64_t ReferencePool::Bytes(bool pinned_only) const {
  int64_t bytes = 0;
  for (const Entry& entry : entries_) bytes += !pinned_only || entry.pins > 0 ? entry.bytes : 0;
  return bytes;
}

int64_t ReferencePool::Find(int64_t conversation) {
  const auto entry = At(conversation);
  if (entry == entries_.end() || entry->over) return 0;
  const int64_t tokens = entry->tokens;
  if (config_.eviction->name() == "lru") std::rotate(entry, entry + 1, entries_.end());
  return tokens;
}

void ReferencePool::Unpin(int64_t conversation) {
  const auto entry = At(conversation);
  if (--entry->pins == 0 && entry->over) entries_.erase(entry);
}

void ReferencePool::Put(int64_t conversation, int64_t tokens, int64_t bytes_per_token) {
  const int64_t bytes = tokens * bytes_per_token;
  const auto entry = At(conversation);
  Entry put = entry != entries_.end() ? *entry : Entry{.conversation = conversation};
  const int64_t limit = config_.capacity_bytes;
  const int64_t pinned_others = Bytes(/*pinned_only=*/true) - (put.pins > 0 ? put.bytes : 0);
  if (limit > 0 && bytes + pinned_others > limit) return;
  if (entry != entries_.end()) entries_.erase(entry);
  while (limit > 0 && Bytes(/*pinned_only=*/false) + bytes > limit) {
    const auto victim =
        std::find_if(entries_.begin(), entries_.end(), [](const Entry& e) { return e.pins == 0; });
    evicted_tokens_ += victim->tokens;
    entries_.erase(victim);
  }
  put.tokens = tokens;
  put.bytes = bytes;
  put.over = false;
  entries_.push_back(put);
  max_bytes_ = std::max(max_bytes_, Bytes(/*pinned_only=*/false));
}

void ReferencePool::Erase(int64_t conversation) {
  const auto entry = At(conversation);
  if (entry == entries_.end()) return;
  if (entry->pins > 0) {
    entry->over = true;
  } else {
    entries_.erase(entry);
  }
}

}  // namespace tokensim
