#include "server/session/plan_cache.h"

#include <memory>
#include <string>

#include "engine/io/plan/prepare.h"
#include "gtest/gtest.h"
#include "server/session/session_test_spec.h"

namespace tokensim {
namespace {

std::shared_ptr<const Plan> MakePlan() { return std::make_shared<Plan>(); }

TEST(PlanCache, KeepsThePlansUsedLastAndThoseInUse) {
  PlanCache cache(2);
  const std::shared_ptr<const Plan> in_use = MakePlan();
  cache.Put("in use", in_use);
  std::weak_ptr<const Plan> plans[3];
  for (int i = 0; i < 3; ++i) {
    auto plan = MakePlan();
    plans[i] = plan;
    cache.Put(std::to_string(i), std::move(plan));
    if (i == 1) {
      EXPECT_FALSE(plans[0].expired()) << "two are kept";
    }
  }
  EXPECT_TRUE(plans[0].expired());
  EXPECT_FALSE(plans[1].expired());
  EXPECT_FALSE(plans[2].expired());
  SimulationRecord record;
  record.uid = "in use";
  EXPECT_EQ(*cache.Get(record), in_use);
  record.uid = "1";
  EXPECT_EQ(*cache.Get(record), plans[1].lock());
}

TEST(PlanCache, CompilesWhatItHasDropped) {
  PreparedSpec prepared = PrepareSpec(MakeTestSpec(7), TracePolicy::NoPaths());
  ASSERT_TRUE(prepared.ok());
  SimulationRecord record;
  record.uid = "dropped";
  record.spec = std::make_shared<const v1::Spec>(std::move(prepared.resolved));
  PlanCache cache(1);
  const auto plan = cache.Get(record);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ((*plan)->workload.num_requests, 7);
  EXPECT_EQ(*cache.Get(record), *plan) << "kept from then on";
}

}  // namespace
}  // namespace tokensim
