#include "engine/network/fifo_sharing.h"

#include <gtest/gtest.h>

#include <vector>

namespace tokensim {
namespace {

std::vector<int32_t> Started(const FifoSharing& sharing) {
  std::vector<int32_t> flows;
  for (const RateChange& change : sharing.changes()) flows.push_back(change.flow);
  return flows;
}

TEST(FifoSharing, WhatIsCancelledWhileItWaitsLeavesTheOthersInOrder) {
  FifoSharing sharing;
  sharing.AddLink(1e9);
  const std::vector<SimTime> ready = {0, 10, 50, 20, 60, 30};
  for (int32_t flow = 0; flow < 6; ++flow) {
    sharing.Add(flow, {0}, {ready[static_cast<size_t>(flow)], flow});
  }
  sharing.Remove(1);  // the first that waits
  EXPECT_TRUE(Started(sharing).empty());
  std::vector<int32_t> order;
  for (int32_t moves = 0; order.size() < 4;) {
    sharing.Remove(moves);
    ASSERT_EQ(Started(sharing).size(), 1u);
    moves = Started(sharing)[0];
    order.push_back(moves);
  }
  EXPECT_EQ(order, (std::vector<int32_t>{3, 5, 2, 4}));
}

}  // namespace
}  // namespace tokensim
