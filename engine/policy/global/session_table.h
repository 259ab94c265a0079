// Remembers the worker of each conversation, in bounded memory: at least the kKept conversations
// used last, at most twice as many.
//
//   SessionTable sessions;
//   sessions.Set(conversation, worker);
//   sessions.Find(conversation);  // -1: unknown
//
// Two generations of an insert-only hash table (linear probing): when the young one is full the old
// one is dropped and the young one becomes old; what is used is copied to the young one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace tokensim {

class SessionTable {
 public:
  static constexpr size_t kKept = size_t{1} << 18;

  explicit SessionTable(size_t kept = kKept) : kept_(kept) {}

  // The worker that Set last gave the conversation (>= 0), if it is still known; else -1.
  [[nodiscard]] int32_t Find(int64_t conversation) const {
    const int32_t worker = young_.Find(conversation);
    return worker >= 0 ? worker : old_.Find(conversation);
  }
  void Set(int64_t conversation, int32_t worker) {
    if (young_.size() == kept_ && young_.Find(conversation) < 0) {
      std::swap(young_, old_);
      young_ = Generation{};
    }
    young_.Set(conversation, worker);
  }
  [[nodiscard]] size_t size() const { return young_.size() + old_.size(); }

 private:
  struct Entry {
    int64_t conversation = 0;
    int32_t worker = -1;  // -1: free
  };

  class Generation {
   public:
    [[nodiscard]] size_t size() const { return size_; }
    [[nodiscard]] int32_t Find(int64_t conversation) const {
      return entries_.empty() ? -1 : entries_[Slot(conversation)].worker;
    }
    void Set(int64_t conversation, int32_t worker) {
      if (2 * size_ >= entries_.size()) Grow();
      Entry& entry = entries_[Slot(conversation)];
      if (entry.worker < 0) ++size_;
      entry = {conversation, worker};
    }

   private:
    // Of the conversation, or the free one it would take.
    [[nodiscard]] size_t Slot(int64_t conversation) const {
      const size_t mask = entries_.size() - 1;
      // Fibonacci hashing: the high bits of the product.
      const uint64_t hash = static_cast<uint64_t>(conversation) * 0x9e3779b97f4a7c15ULL;
      size_t slot = static_cast<size_t>(hash >> 32) & mask;
      while (entries_[slot].worker >= 0 && entries_[slot].conversation != conversation) {
        slot = (slot + 1) & mask;
      }
      return slot;
    }
    void Grow() {
      std::vector<Entry> before(entries_.empty() ? 16 : 2 * entries_.size());
      entries_.swap(before);
      for (const Entry& entry : before) {
        if (entry.worker >= 0) entries_[Slot(entry.conversation)] = entry;
      }
    }

    std::vector<Entry> entries_;  // a power of two long, at most half full
    size_t size_ = 0;
  };

  const size_t kept_;
  Generation young_;
  Generation old_;
};

}  // namespace tokensim
