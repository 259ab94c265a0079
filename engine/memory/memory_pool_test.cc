#include "engine/memory/memory_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>

#include "engine/base/invariant.h"
#include "engine/base/rng.h"
#include "engine/policy/evict/registry.h"

namespace tokensim {
namespace {

MemoryPool PoolOf(int64_t capacity, std::string_view eviction = "lru") {
  return MemoryPool({.capacity_bytes = capacity, .eviction = Evictions().Make(eviction)});
}

TEST(MemoryPoolTest, KeepsTheLastTurn) {
  MemoryPool pool = PoolOf(0);
  EXPECT_EQ(pool.Find(7), 0);
  EXPECT_TRUE(pool.Put(7, 100, 10));
  EXPECT_TRUE(pool.Put(8, 50, 10));
  EXPECT_TRUE(pool.Put(7, 150, 10));
  EXPECT_EQ(pool.Find(7), 150);
  EXPECT_EQ(pool.used_bytes(), 2'000);
  pool.Erase(7);
  pool.Erase(7);
  EXPECT_EQ(pool.Find(7), 0);
  EXPECT_EQ(pool.used_bytes(), 500);
  EXPECT_EQ(pool.max_used_bytes(), 2'000);
  EXPECT_EQ(pool.entries(), 1);
  EXPECT_EQ(pool.hits(), 1);
}

TEST(MemoryPoolTest, LruEvictsWhatWasUsedLongestAgo) {
  MemoryPool pool = PoolOf(300);
  for (const int64_t conversation : {1, 2, 3}) pool.Put(conversation, 100, 1);
  EXPECT_EQ(pool.Find(1), 100);
  pool.Put(4, 50, 1);
  EXPECT_EQ(pool.Find(2), 0);
  EXPECT_EQ(pool.Find(1), 100);
  EXPECT_EQ(pool.evicted_tokens(), 100);
  EXPECT_EQ(pool.used_bytes(), 250);
}

TEST(MemoryPoolTest, FifoEvictsWhatWasPutLongestAgo) {
  MemoryPool pool = PoolOf(300, "fifo");
  for (const int64_t conversation : {1, 2, 3}) pool.Put(conversation, 100, 1);
  EXPECT_EQ(pool.Find(1), 100);
  pool.Put(4, 100, 1);
  EXPECT_EQ(pool.Find(1), 0);
  EXPECT_EQ(pool.Find(2), 100);
  pool.Put(2, 100, 1);  // put again: now the last
  pool.Put(5, 100, 1);
  EXPECT_EQ(pool.Find(2), 100);
  EXPECT_EQ(pool.Find(3), 0);
}

// What is used goes first: no eviction so far does that.
class LastUsedFirst final : public Eviction {
 public:
  [[nodiscard]] EvictionMove OnUse(const StoredEntry& entry) override {
    return entry.tokens >= 100 ? EvictionMove::kToFront : EvictionMove::kStay;
  }
};

TEST(MemoryPoolTest, AnEvictionOfOnesOwn) {
  const auto factory = std::make_shared<EvictionFactory>(
      "last_used_first", EvictionTraits{},
      [](const EvictionContext&) { return std::make_unique<LastUsedFirst>(); });
  MemoryPool pool({.capacity_bytes = 350, .eviction = factory});
  for (const int64_t conversation : {1, 2, 3}) pool.Put(conversation, 100, 1);
  pool.Put(4, 50, 1);
  EXPECT_EQ(pool.Find(4), 50);   // stays the last
  EXPECT_EQ(pool.Find(2), 100);  // now the first
  EXPECT_EQ(pool.Find(1), 100);  // now the first, 2 the second
  pool.Put(5, 100, 1);
  pool.Put(6, 100, 1);
  EXPECT_EQ(pool.Find(1), 0);
  EXPECT_EQ(pool.Find(2), 0);
  EXPECT_EQ(pool.Find(3), 100);
  EXPECT_EQ(pool.Find(4), 50);
}

TEST(MemoryPoolTest, WhatIsTooLargeIsNotKept) {
  MemoryPool pool = PoolOf(300);
  pool.Put(1, 100, 1);
  EXPECT_FALSE(pool.Put(2, 301, 1));
  EXPECT_FALSE(pool.Put(1, 301, 1));  // the older one stays: it is still a beginning
  EXPECT_EQ(pool.Find(1), 100);
  EXPECT_EQ(pool.evicted_tokens(), 0);
  EXPECT_TRUE(pool.Put(1, 300, 1));
}

TEST(MemoryPoolTest, PinnedEntriesStay) {
  MemoryPool pool = PoolOf(300);
  pool.Put(1, 200, 1);
  pool.Put(2, 100, 1);
  pool.Pin(1);
  pool.Pin(1);
  EXPECT_FALSE(pool.Put(3, 101, 1));
  EXPECT_EQ(pool.Find(2), 100);  // not evicted in vain
  EXPECT_TRUE(pool.Put(3, 100, 1));
  EXPECT_EQ(pool.Find(2), 0);
  pool.Unpin(1);
  EXPECT_FALSE(pool.Put(4, 300, 1));
  pool.Unpin(1);
  EXPECT_TRUE(pool.Put(4, 300, 1));
  EXPECT_EQ(pool.Find(1), 0);
}

TEST(MemoryPoolTest, ErasingWaitsForTheFetch) {
  MemoryPool pool = PoolOf(300);
  pool.Put(1, 200, 1);
  pool.Pin(1);
  pool.Erase(1);
  EXPECT_EQ(pool.Find(1), 0);
  EXPECT_EQ(pool.used_bytes(), 200);
  pool.Unpin(1);
  EXPECT_EQ(pool.used_bytes(), 0);
  pool.Put(1, 200, 1);
  EXPECT_EQ(pool.Find(1), 200);
}

TEST(MemoryPoolTest, PuttingAgainRevivesWhatWasErasedDuringAFetch) {
  MemoryPool pool = PoolOf(300);
  pool.Put(1, 200, 1);
  pool.Pin(1);
  pool.Erase(1);
  EXPECT_TRUE(pool.Put(1, 250, 1));
  EXPECT_EQ(pool.Find(1), 250);
  pool.Unpin(1);
  EXPECT_EQ(pool.Find(1), 250);
  EXPECT_EQ(pool.used_bytes(), 250);
}

TEST(MemoryPoolTest, WithoutACapacityTheLargestEntriesAddUp) {
  constexpr int64_t kBytesPerToken = 1'000'000'000;  // the most that a spec may have
  constexpr int32_t kTokens = 2'000'000'000;
  MemoryPool pool = PoolOf(0);
  for (int64_t i = 0; i < 20; ++i) EXPECT_TRUE(pool.Put(i, kTokens, kBytesPerToken));
  EXPECT_EQ(pool.entries(), 2);
  EXPECT_EQ(pool.used_bytes(), int64_t{2} * kTokens * kBytesPerToken);
  pool.Pin(19);
  pool.Pin(18);
  EXPECT_FALSE(pool.Put(20, kTokens, kBytesPerToken));
}

TEST(MemoryPoolTest, RefusesUnbalancedPins) {
  MemoryPool pool = PoolOf(0);
  EXPECT_THROW(pool.Pin(1), InvariantError);
  pool.Put(1, 1, 1);
  EXPECT_THROW(pool.Unpin(1), InvariantError);
}

// A list of entries in the order of eviction.
class NaivePool {
 public:
  struct Entry {
    int64_t conversation;
    int32_t tokens;
    int64_t bytes;
    int pins = 0;
  };

  NaivePool(int64_t capacity, std::string_view eviction)
      : capacity_(capacity), eviction_(eviction) {}

  int64_t used() const {
    int64_t bytes = 0;
    for (const Entry& e : entries_) bytes += e.bytes;
    return bytes;
  }
  int64_t evicted() const { return evicted_; }
  std::list<Entry>::iterator At(int64_t conversation) {
    auto it = entries_.begin();
    while (it != entries_.end() && it->conversation != conversation) ++it;
    return it;
  }
  bool Has(int64_t conversation) { return At(conversation) != entries_.end(); }
  bool Pinned(int64_t conversation) {
    const auto it = At(conversation);
    return it != entries_.end() && it->pins > 0;
  }

  bool Put(int64_t conversation, int32_t tokens, int64_t bytes_per_token) {
    Entry entry{conversation, tokens, tokens * bytes_per_token};
    std::list<Entry> kept = entries_;
    int64_t evicted = 0;
    const auto old = At(conversation);
    if (old != entries_.end()) {
      entry.pins = old->pins;
      entries_.erase(old);
    }
    for (auto it = entries_.begin(); used() + entry.bytes > capacity_ && capacity_ > 0;) {
      if (it == entries_.end()) {
        entries_ = kept;
        return false;
      }
      if (it->pins == 0) {
        evicted += it->tokens;
        it = entries_.erase(it);
      } else {
        ++it;
      }
    }
    evicted_ += evicted;
    entries_.push_back(entry);
    return true;
  }
  int32_t Find(int64_t conversation) {
    const auto it = At(conversation);
    if (it == entries_.end()) return 0;
    if (eviction_ == "lru") entries_.splice(entries_.end(), entries_, it);
    return it->tokens;
  }
  void Erase(int64_t conversation) {
    const auto it = At(conversation);
    if (it != entries_.end()) entries_.erase(it);
  }

 private:
  int64_t capacity_;
  std::string_view eviction_;
  int64_t evicted_ = 0;
  std::list<Entry> entries_;
};

TEST(MemoryPoolTest, EqualsAListOfEntries) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    RngStream rng(seed, "memory pool");
    const int64_t capacity = rng.Below(5) == 0 ? 0 : static_cast<int64_t>(1 + rng.Below(3'000));
    const std::string_view eviction = rng.Below(2) == 0 ? "lru" : "fifo";
    MemoryPool pool = PoolOf(capacity, eviction);
    NaivePool naive(capacity, eviction);
    int64_t max_used = 0;
    for (int step = 0; step < 2'000; ++step) {
      const auto conversation = static_cast<int64_t>(rng.Below(25));
      switch (rng.Below(6)) {
        case 0:
        case 1: {
          const auto tokens = static_cast<int32_t>(1 + rng.Below(200));
          ASSERT_EQ(pool.Put(conversation, tokens, 3), naive.Put(conversation, tokens, 3));
          break;
        }
        case 2:
          ASSERT_EQ(pool.Find(conversation), naive.Find(conversation));
          break;
        case 3:
          if (!naive.Has(conversation)) break;
          pool.Pin(conversation);
          ++naive.At(conversation)->pins;
          break;
        case 4:
          if (!naive.Pinned(conversation)) break;
          pool.Unpin(conversation);
          --naive.At(conversation)->pins;
          break;
        default:
          if (naive.Pinned(conversation)) break;
          pool.Erase(conversation);
          naive.Erase(conversation);
      }
      max_used = std::max(max_used, naive.used());
      ASSERT_EQ(pool.used_bytes(), naive.used()) << "seed " << seed << " step " << step;
      ASSERT_EQ(pool.max_used_bytes(), max_used);
      ASSERT_EQ(pool.evicted_tokens(), naive.evicted());
      ASSERT_TRUE(capacity == 0 || pool.used_bytes() <= capacity);
    }
  }
}

}  // namespace
}  // namespace tokensim
