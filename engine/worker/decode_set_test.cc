#include "engine/worker/decode_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/base/rng.h"

namespace tokensim {
namespace {

// The same bookkeeping, one sequence at a time.
struct NaiveMember {
  RequestHandle handle;
  int32_t computed;
  int32_t generated;
  int32_t output;
};

TEST(DecodeSetTest, AggregatesEqualAWalkOverTheMembers) {
  for (const int32_t block_size : {1, 3, 16}) {
    RequestSlab slab;
    DecodeSet set(slab, block_size);
    std::vector<NaiveMember> naive;
    RngStream rng(5, "decode set");
    for (int iteration = 0; iteration < 6000; ++iteration) {
      // One iteration: everyone advances, the done ones leave.
      for (NaiveMember& m : naive) {
        ++m.computed;
        ++m.generated;
      }
      set.Advance();
      size_t finished = 0;
      for (RequestHandle h = set.NextFinished(); h != kNoRequest; h = set.NextFinished()) {
        const auto it = std::find_if(naive.begin(), naive.end(),
                                     [h](const NaiveMember& m) { return m.handle == h; });
        ASSERT_NE(it, naive.end());
        ASSERT_EQ(it->generated, it->output);
        set.Leave(h);
        ASSERT_EQ(slab[h].generated, it->generated);
        ASSERT_EQ(slab[h].computed, it->computed);
        slab.Free(h);
        naive.erase(it);
        ++finished;
      }
      for (const NaiveMember& m : naive) ASSERT_LT(m.generated, m.output);
      // Some join; outputs above the calendar's size wait for their round.
      for (uint64_t joins = rng.Below(3); joins > 0; --joins) {
        const RequestHandle h = slab.Allocate();
        LiveRequest& r = slab[h];
        r.computed = 1 + static_cast<int32_t>(rng.Below(500));
        r.generated = 1 + static_cast<int32_t>(rng.Below(5));
        r.output_tokens = r.generated + 1 + static_cast<int32_t>(rng.Below(2500));
        naive.push_back({h, r.computed, r.generated, r.output_tokens});
        set.Join(h);
      }
      // Sometimes one is preempted.
      if (rng.Below(4) == 0 && !naive.empty()) {
        const size_t i = rng.Below(naive.size());
        set.Leave(naive[i].handle);
        ASSERT_EQ(slab[naive[i].handle].computed, naive[i].computed);
        slab.Free(naive[i].handle);
        naive.erase(naive.begin() + static_cast<std::ptrdiff_t>(i));
      }
      int64_t sum = 0, due = 0;
      for (const NaiveMember& m : naive) {
        sum += m.computed;
        due += m.computed % block_size == 0 ? 1 : 0;
      }
      ASSERT_EQ(set.count(), static_cast<int32_t>(naive.size()));
      ASSERT_EQ(set.computed_sum(), sum);
      ASSERT_EQ(set.blocks_due(), due);
    }
  }
}

}  // namespace
}  // namespace tokensim
