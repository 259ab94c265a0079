#include "engine/base/ring_queue.h"

#include <gtest/gtest.h>

#include <deque>

#include "engine/base/rng.h"

namespace tokensim {
namespace {

TEST(RingQueueTest, BehavesAsADeque) {
  RingQueue<int> ring;
  std::deque<int> model;
  RngStream rng(1, "ring");
  for (int i = 0; i < 20'000; ++i) {
    switch (rng.Below(i < 10'000 ? 4 : 3)) {
      case 0:
      case 3:
        ring.push_back(i);
        model.push_back(i);
        break;
      case 1:
        ring.push_front(i);
        model.push_front(i);
        break;
      default:
        if (model.empty()) break;
        ring.pop_front();
        model.pop_front();
    }
    ASSERT_EQ(ring.size(), model.size());
    if (!model.empty()) {
      ASSERT_EQ(ring.front(), model.front());
    }
  }
}

}  // namespace
}  // namespace tokensim
