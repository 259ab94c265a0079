#include "engine/worker/admission_order.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/base/rng.h"

namespace tokensim {
namespace {

std::vector<RequestHandle> All(const AdmissionOrder& order) {
  std::vector<RequestHandle> all;
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i] != kNoRequest) all.push_back(order[i]);
  }
  return all;
}

TEST(AdmissionOrderTest, AnyRequestLeavesAndTheOthersKeepTheirOrder) {
  RequestSlab slab;
  AdmissionOrder order(slab);
  std::vector<RequestHandle> model;
  RngStream rng(3, "order");
  size_t most_places = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (model.empty() || rng.Below(100) < (step < 10'000 ? 51U : 49U)) {
      model.push_back(slab.Allocate());
      order.Append(model.back());
    } else {
      const size_t i = rng.Below(model.size());
      order.Remove(model[i]);
      slab.Free(model[i]);
      model.erase(model.begin() + static_cast<std::ptrdiff_t>(i));
    }
    ASSERT_EQ(order.back(), model.empty() ? kNoRequest : model.back());
    if (step % 100 == 0) {
      ASSERT_EQ(All(order), model);
    }
    ASSERT_LE(order.size(), 4 * model.size() + 90);
    most_places = std::max(most_places, order.size());
  }
  EXPECT_GT(most_places, 300U);
  order.Clear();
  EXPECT_EQ(order.size(), 0U);
  EXPECT_EQ(order.back(), kNoRequest);
}

// Requests move up only when three of four places are holes: to remove one costs O(1), amortised.
TEST(AdmissionOrderTest, HolesAreClosedSeldom) {
  RequestSlab slab;
  AdmissionOrder order(slab);
  std::vector<RequestHandle> requests;
  for (int i = 0; i < 400; ++i) {
    requests.push_back(slab.Allocate());
    order.Append(requests.back());
  }
  for (size_t i = 0; i < 300; ++i) order.Remove(requests[i]);
  EXPECT_EQ(order.size(), 400U);
  order.Remove(requests[300]);
  EXPECT_EQ(order.size(), 99U);
  for (size_t i = 301; i < 365; ++i) order.Remove(requests[i]);
  EXPECT_EQ(order.size(), 99U) << "they begin to count anew";
  EXPECT_EQ(All(order), std::vector<RequestHandle>(requests.begin() + 365, requests.end()));
}

}  // namespace
}  // namespace tokensim
