#include "engine/compute/collective_costs.h"

#include <gtest/gtest.h>

#include "engine/base/invariant.h"

namespace tokensim {
namespace {

constexpr InterconnectConfig kLink = {.bandwidth_bytes_per_second = 100, .latency_seconds = 1};

double Seconds(const ParallelismConfig& split, OperatorKind kind) {
  return CollectiveCosts(kLink, split).Seconds({.kind = kind, .bytes = 800});
}

TEST(CollectiveCostsTest, EachKindHasItsOwnDevices) {
  const ParallelismConfig split = {.tensor = 2, .pipeline = 3, .expert = 4};
  EXPECT_DOUBLE_EQ(Seconds(split, OperatorKind::kAllReduce), 2 * (1 + 400 / 100.0));
  EXPECT_DOUBLE_EQ(Seconds(split, OperatorKind::kAllGather), 1 + 400 / 100.0);
  EXPECT_DOUBLE_EQ(Seconds(split, OperatorKind::kAllToAll), 3 * (1 + 200 / 100.0));
  EXPECT_DOUBLE_EQ(Seconds(split, OperatorKind::kSend), 1 + 800 / 100.0);
}

TEST(CollectiveCostsTest, RanksInLockstepGatherTheRowsOfEachOther) {
  const ParallelismConfig split = {.tensor = 1, .expert = 8, .data = 8};
  EXPECT_DOUBLE_EQ(Seconds(split, OperatorKind::kAllGather), 7 * (1 + 100 / 100.0));
  EXPECT_DOUBLE_EQ(Seconds(split, OperatorKind::kAllReduce), 0);
}

TEST(CollectiveCostsTest, OnlySeveralDevicesNeedALink) {
  EXPECT_DOUBLE_EQ(CollectiveCosts({}, {}).Seconds({.kind = OperatorKind::kAllReduce, .bytes = 8}),
                   0);
  EXPECT_THROW(CollectiveCosts({}, {.tensor = 2}), InvariantError);
  EXPECT_THROW(CollectiveCosts({}, {.pipeline = 2}), InvariantError);
  EXPECT_THROW(CollectiveCosts({}, {.data = 2}), InvariantError);
}

}  // namespace
}  // namespace tokensim
