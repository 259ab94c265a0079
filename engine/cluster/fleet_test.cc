#include "engine/cluster/fleet.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace tokensim {
namespace {

class Changes final : public Observer {
 public:
  void OnEvent(SimTime now, const Event& event) override {
    const auto& change = std::get<WorkerChangedEvent>(event);
    seen.push_back({now, change.worker, change.status});
  }
  struct Seen {
    SimTime now;
    int32_t worker;
    WorkerStatus status;
    bool operator==(const Seen&) const = default;
  };
  std::vector<Seen> seen;
};

std::vector<WorkerPlan> Workers(const std::vector<bool>& serving) {
  std::vector<WorkerPlan> workers(serving.size());
  for (size_t i = 0; i < serving.size(); ++i) workers[i].serving = serving[i];
  return workers;
}

using Indexes = std::vector<int32_t>;

TEST(FleetTest, ScalingUpTakesTheFirstStoppedWorkersOfTheGroup) {
  const Fleet fleet(Workers({false, true, false, false, false}), nullptr);
  WorkerEvent event{
      .action = WorkerAction::kScaleUp, .first_worker = 1, .group_size = 4, .count = 2};
  EXPECT_EQ(fleet.Concerned(event), (Indexes{2, 3}));
  event.count = 9;
  EXPECT_EQ(fleet.Concerned(event), (Indexes{2, 3, 4}));
}

TEST(FleetTest, ScalingDownTakesTheLastServingWorkersOfTheGroup) {
  Fleet fleet(Workers({true, true, true, true, true}), nullptr);
  fleet.SetStatus(2, WorkerStatus::kDraining, 1);
  WorkerEvent event{
      .action = WorkerAction::kScaleDown, .first_worker = 0, .group_size = 4, .count = 2};
  EXPECT_EQ(fleet.Concerned(event), (Indexes{3, 1}));
  event.count = 9;
  EXPECT_EQ(fleet.Concerned(event), (Indexes{3, 1, 0}));
}

TEST(FleetTest, OnlyWhatIsUpOrStartsFailsAndOnlyWhatFailedRecovers) {
  Fleet fleet(Workers({true, false}), nullptr);
  const auto fails = [&](int32_t worker) {
    return !fleet.Concerned({.action = WorkerAction::kFail, .worker = worker}).empty();
  };
  const auto recovers = [&](int32_t worker) {
    return !fleet.Concerned({.action = WorkerAction::kRecover, .worker = worker}).empty();
  };
  EXPECT_TRUE(fails(0));
  EXPECT_FALSE(fails(1));
  EXPECT_FALSE(recovers(0));
  EXPECT_FALSE(recovers(1));
  fleet.SetStatus(0, WorkerStatus::kFailed, 5);
  EXPECT_FALSE(fails(0));
  EXPECT_TRUE(recovers(0));
  fleet.SetStatus(1, WorkerStatus::kStarting, 5);
  EXPECT_TRUE(fails(1));
  fleet.SetStatus(0, WorkerStatus::kDraining, 6);
  EXPECT_TRUE(fails(0));
}

TEST(FleetTest, CountsTheTimeInWhichAWorkerDoesNotComputeForAnybody) {
  Fleet fleet(Workers({true, false}), nullptr);
  EXPECT_EQ(fleet.Unavailable(0, 100), 0);
  EXPECT_EQ(fleet.Unavailable(1, 100), 100);
  fleet.SetStatus(0, WorkerStatus::kFailed, 10);
  fleet.SetStatus(0, WorkerStatus::kStarting, 20);
  EXPECT_EQ(fleet.Unavailable(0, 25), 15);
  fleet.SetStatus(0, WorkerStatus::kServing, 30);
  fleet.SetStatus(0, WorkerStatus::kDraining, 40);  // it still computes
  EXPECT_EQ(fleet.Unavailable(0, 100), 20);
  fleet.SetStatus(0, WorkerStatus::kStopped, 50);
  EXPECT_EQ(fleet.Unavailable(0, 100), 70);
}

TEST(FleetTest, TellsItsObserver) {
  Changes changes;
  Fleet fleet(Workers({true, true}), &changes);
  fleet.SetStatus(1, WorkerStatus::kDraining, 7);
  fleet.SetStatus(1, WorkerStatus::kStopped, 9);
  EXPECT_EQ(changes.seen, (std::vector<Changes::Seen>{{7, 1, WorkerStatus::kDraining},
                                                      {9, 1, WorkerStatus::kStopped}}));
  EXPECT_FALSE(fleet.serves(1));
  EXPECT_TRUE(fleet.serves(0));
}

}  // namespace
}  // namespace tokensim
