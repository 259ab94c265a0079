#include "engine/memory/hash_index.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/base/rng.h"

namespace tokensim {
namespace {

TEST(HashIndexTest, FindsWhatWasInserted) {
  HashIndex index;
  EXPECT_EQ(index.Find(5), HashIndex::kNotFound);
  for (uint32_t i = 1; i <= 1000; ++i) index.Insert(uint64_t{i} << 32, i);
  EXPECT_EQ(index.size(), 1000);
  for (uint32_t i = 1; i <= 1000; ++i) EXPECT_EQ(index.Find(uint64_t{i} << 32), i);
  EXPECT_EQ(index.Find(5), HashIndex::kNotFound);
  index.Clear();
  EXPECT_EQ(index.size(), 0);
  EXPECT_EQ(index.Find(uint64_t{1} << 32), HashIndex::kNotFound);
}

TEST(HashIndexTest, RefusesMisuse) {
  HashIndex index;
  EXPECT_THROW(index.Insert(0, 1), InvariantError);
  EXPECT_THROW(index.Erase(1), InvariantError);
  index.Insert(1, 1);
  EXPECT_THROW(index.Insert(1, 2), InvariantError);
  EXPECT_THROW(index.Erase(2), InvariantError);
}

// Against std::map, over few keys so that runs of full slots form and are cut.
TEST(HashIndexTest, BehavesAsAMap) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    RngStream rng(seed, "hash index");
    std::vector<uint64_t> keys(1 + rng.Below(60));
    for (uint64_t& key : keys) key = 1 + rng.Below(1'000'000);
    HashIndex index;
    std::map<uint64_t, uint32_t> expected;
    for (uint32_t step = 0; step < 3'000; ++step) {
      const uint64_t key = keys[rng.Below(keys.size())];
      if (expected.erase(key) > 0) {
        index.Erase(key);
      } else {
        expected[key] = step;
        index.Insert(key, step);
      }
      ASSERT_EQ(index.size(), expected.size());
      for (const uint64_t k : keys) {
        const auto it = expected.find(k);
        ASSERT_EQ(index.Find(k), it == expected.end() ? HashIndex::kNotFound : it->second);
      }
    }
  }
}

}  // namespace
}  // namespace tokensim
