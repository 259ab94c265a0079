#include "engine/memory/prefix_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <map>
#include <vector>

#include "engine/base/invariant.h"
#include "engine/base/rng.h"

namespace tokensim {
namespace {

bool Has(const PrefixCache& cache, uint64_t hash) { return cache.Find(hash) != kNoBlock; }

// A request that computes blocks with these hashes and one partial block.
std::vector<BlockId> Compute(PrefixCache* cache, const std::vector<uint64_t>& hashes) {
  cache->Take(static_cast<int64_t>(hashes.size()) + 1);
  std::vector<BlockId> blocks;
  for (const uint64_t hash : hashes) blocks.push_back(cache->Insert(hash));
  return blocks;
}

// It ends: the partial block first, then the others from the last.
void Finish(PrefixCache* cache, const std::vector<BlockId>& blocks) {
  cache->Return(1);
  for (auto id = blocks.rbegin(); id != blocks.rend(); ++id) cache->Release(*id);
}

// vLLM's tests/v1/core/test_prefix_caching.py, test_prefill, with its blocks 1 .. 10: three blocks
// of common text and a partial one per request. In the comments the free queue as there.
TEST(PrefixCacheTest, FollowsVllm) {
  PrefixCache cache(10);
  const std::vector<BlockId> common = Compute(&cache, {101, 102, 103});  // request 0: 1 2 3 4
  EXPECT_EQ(cache.free(), 6);

  for (const BlockId id : common) cache.Acquire(id);  // request 1 hits 1 2 3 and takes 5
  cache.Take(1);
  EXPECT_EQ(cache.refs(common[0]), 2);
  EXPECT_EQ(cache.free(), 5);

  Finish(&cache, common);
  EXPECT_EQ(cache.free(), 6);  // only 4
  Finish(&cache, common);      // 6 7 8 9 10 4 5 3 2 1
  EXPECT_EQ(cache.free(), 10);
  EXPECT_EQ(cache.cached_free(), 3);

  for (const BlockId id : common) cache.Acquire(id);  // request 2 hits 1 2 3 and takes 6
  cache.Take(1);
  EXPECT_EQ(cache.free(), 6);
  EXPECT_EQ(cache.cached_free(), 0);
  Finish(&cache, common);  // 7 8 9 10 4 5 6 3 2 1

  cache.Take(7);  // 7 8 9 10 4 5 6
  EXPECT_EQ(cache.cached_free(), 3);
  cache.Take(1);  // 3: the end of the prefix goes first
  EXPECT_FALSE(Has(cache, 103));
  EXPECT_TRUE(Has(cache, 102));
  cache.Take(1);  // 2
  EXPECT_FALSE(Has(cache, 102));
  EXPECT_TRUE(Has(cache, 101));
  cache.Take(1);  // 1
  EXPECT_FALSE(Has(cache, 101));
  EXPECT_EQ(cache.free(), 0);
}

// Space that was never used goes before any content, old content before new, and a block in the
// middle of the queue that was hit goes last.
TEST(PrefixCacheTest, LeastRecentlyUsedGoesFirst) {
  PrefixCache cache(6);
  const std::vector<BlockId> a = Compute(&cache, {1});
  Finish(&cache, a);  // 3 4 5 6 | a+ a
  const std::vector<BlockId> b = Compute(&cache, {2});
  Finish(&cache, b);  // 5 6 a+ | a | b+ | b
  cache.Acquire(a[0]);
  cache.Release(a[0]);  // 5 6 a+ b+ | b | a
  cache.Take(4);
  EXPECT_TRUE(Has(cache, 1) && Has(cache, 2));
  cache.Take(1);
  EXPECT_FALSE(Has(cache, 2));
  EXPECT_TRUE(Has(cache, 1));
}

TEST(PrefixCacheTest, HeldBlocksAreNeverEvicted) {
  PrefixCache cache(3);
  cache.Take(1);
  const BlockId id = cache.Insert(9);
  cache.Take(2);
  EXPECT_EQ(cache.free(), 0);
  EXPECT_THROW(cache.Take(1), InvariantError);
  EXPECT_TRUE(Has(cache, 9));
  cache.Release(id);
  cache.Take(1);
  EXPECT_FALSE(Has(cache, 9));
}

TEST(PrefixCacheTest, ASecondCopyStaysAnonymous) {
  PrefixCache cache(4);
  cache.Take(2);
  const BlockId id = cache.Insert(9);
  EXPECT_EQ(cache.Insert(9), kNoBlock);
  EXPECT_EQ(cache.cached(), 1);
  cache.Return(1);
  cache.Release(id);
  EXPECT_EQ(cache.free(), 4);
  EXPECT_EQ(cache.cached_free(), 1);
}

TEST(PrefixCacheTest, ClearForgetsEverything) {
  PrefixCache cache(5);
  const std::vector<BlockId> blocks = Compute(&cache, {1, 2});
  cache.Release(blocks[0]);
  cache.Clear();
  EXPECT_EQ(cache.free(), 5);
  EXPECT_EQ(cache.cached(), 0);
  EXPECT_FALSE(Has(cache, 1) || Has(cache, 2));
  cache.Take(5);
  EXPECT_EQ(cache.free(), 0);
}

TEST(PrefixCacheTest, RefusesToBreakItsInvariants) {
  PrefixCache cache(3);
  EXPECT_THROW(cache.Return(1), InvariantError);
  EXPECT_THROW(cache.Insert(1), InvariantError);   // holds nothing
  EXPECT_THROW(cache.Acquire(0), InvariantError);  // the run of free blocks
  EXPECT_THROW(cache.Acquire(77), InvariantError);
  cache.Take(1);
  const BlockId id = cache.Insert(1);
  EXPECT_THROW(cache.Insert(2), InvariantError);  // its only block has content
  EXPECT_THROW(cache.Return(1), InvariantError);
  cache.Release(id);
  EXPECT_THROW(cache.Release(id), InvariantError);
  cache.Take(3);
  EXPECT_THROW(cache.Acquire(id), InvariantError);  // evicted
}

// One list element per block, as vLLM has it.
class NaiveCache {
 public:
  NaiveCache(int blocks, bool anonymous_first)
      : hash_(static_cast<size_t>(blocks)), refs_(hash_.size()), anonymous_first_(anonymous_first) {
    for (int i = 0; i < blocks; ++i) queue_.push_back(i);
  }

  int64_t free() const { return static_cast<int64_t>(queue_.size()); }
  int64_t anonymous() const { return static_cast<int64_t>(anonymous_.size()); }
  int64_t cached_free() const {
    int64_t count = 0;
    for (const int block : queue_) count += hash_[static_cast<size_t>(block)] != 0 ? 1 : 0;
    return count;
  }
  const std::map<uint64_t, int>& cached() const { return cached_; }
  int32_t refs(uint64_t hash) const { return refs_[static_cast<size_t>(cached_.at(hash))]; }

  void Take(int64_t blocks) {
    for (; blocks > 0; --blocks) {
      const int block = queue_.front();
      queue_.pop_front();
      uint64_t& hash = hash_[static_cast<size_t>(block)];
      if (hash != 0) cached_.erase(hash);
      hash = 0;
      anonymous_.push_back(block);
    }
  }
  void Return(int64_t blocks) {
    for (; blocks > 0; --blocks) {
      queue_.insert(anonymous_first_ ? queue_.begin() : queue_.end(), anonymous_.back());
      anonymous_.pop_back();
    }
  }
  void Insert(uint64_t hash) {
    if (cached_.count(hash) > 0) return;
    const int block = anonymous_.back();
    anonymous_.pop_back();
    hash_[static_cast<size_t>(block)] = hash;
    refs_[static_cast<size_t>(block)] = 1;
    cached_[hash] = block;
  }
  void Acquire(uint64_t hash) {
    const int block = cached_.at(hash);
    if (refs_[static_cast<size_t>(block)]++ == 0) queue_.remove(block);
  }
  void Release(uint64_t hash) {
    const int block = cached_.at(hash);
    if (--refs_[static_cast<size_t>(block)] == 0) queue_.push_back(block);
  }

 private:
  std::vector<uint64_t> hash_;
  std::vector<int32_t> refs_;
  std::list<int> queue_;
  std::vector<int> anonymous_;
  std::map<uint64_t, int> cached_;
  bool anonymous_first_;
};

constexpr uint64_t kHashes = 40;

void ExpectEqual(const PrefixCache& cache, const NaiveCache& naive) {
  ASSERT_EQ(cache.free(), naive.free());
  ASSERT_EQ(cache.cached_free(), naive.cached_free());
  ASSERT_EQ(cache.cached(), static_cast<int64_t>(naive.cached().size()));
  int64_t held = 0;
  for (uint64_t hash = 1; hash <= kHashes; ++hash) {
    const BlockId id = cache.Find(hash);
    ASSERT_EQ(id != kNoBlock, naive.cached().count(hash) > 0) << hash;
    if (id == kNoBlock) continue;
    ASSERT_EQ(cache.refs(id), naive.refs(hash));
    if (cache.refs(id) > 0) ++held;
  }
  // Every block is free, findable and held, or anonymous and held.
  ASSERT_EQ(cache.free() + held + naive.anonymous(), cache.total());
}

TEST(PrefixCacheTest, EqualsOneListElementPerBlock) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    RngStream rng(seed, "prefix cache");
    const auto blocks = static_cast<int>(1 + rng.Below(60));
    const bool anonymous_first = seed % 2 == 1;
    PrefixCache cache(blocks, anonymous_first);
    NaiveCache naive(blocks, anonymous_first);
    const auto upto = [&](int64_t n) {
      return static_cast<int64_t>(rng.Below(static_cast<uint64_t>(std::min<int64_t>(n, 6)) + 1));
    };
    for (int step = 0; step < 3'000; ++step) {
      const uint64_t hash = 1 + rng.Below(kHashes);
      const BlockId id = cache.Find(hash);
      switch (rng.Below(6)) {
        case 0: {
          const int64_t n = upto(naive.free());
          cache.Take(n);
          naive.Take(n);
          break;
        }
        case 1: {
          const int64_t n = upto(naive.anonymous());
          cache.Return(n);
          naive.Return(n);
          break;
        }
        case 2:
          if (naive.anonymous() == 0) break;
          ASSERT_EQ(cache.Insert(hash) == kNoBlock, id != kNoBlock);
          naive.Insert(hash);
          break;
        case 3:
          if (id == kNoBlock) break;
          cache.Acquire(id);
          naive.Acquire(hash);
          break;
        default:
          if (id == kNoBlock || cache.refs(id) == 0) break;
          cache.Release(id);
          naive.Release(hash);
      }
      ASSERT_NO_FATAL_FAILURE(ExpectEqual(cache, naive)) << "seed " << seed << " step " << step;
    }
    // Everything left, in the order of the queue.
    while (naive.free() > 0) {
      cache.Take(1);
      naive.Take(1);
      ASSERT_NO_FATAL_FAILURE(ExpectEqual(cache, naive)) << "seed " << seed;
    }
  }
}

// A text of its own is computed between two requests with a common beginning.
TEST(PrefixCacheTest, WhatCannotBeFoundGoesFirstIfItIsToldSo) {
  for (const bool first : {false, true}) {
    PrefixCache cache(10, first);
    const std::vector<BlockId> common = Compute(&cache, {101, 102, 103});
    Finish(&cache, common);
    cache.Take(6);
    cache.Return(6);  // vLLM before 0.23: 4 3c 2b 1a and these; since: these first
    cache.Take(2);
    EXPECT_EQ(Has(cache, 103), first);
    cache.Take(5);
    EXPECT_EQ(Has(cache, 103), first);
    EXPECT_EQ(Has(cache, 101), first);
    cache.Take(1);
    EXPECT_FALSE(Has(cache, 103));
  }
}

}  // namespace
}  // namespace tokensim
