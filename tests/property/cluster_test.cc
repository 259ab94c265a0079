// Properties of any cluster: roles, links, caches, swaps, migration, faults, all policies.

#include <gtest/gtest.h>

#include <memory>

#include "engine/base/test_cases.h"
#include "tests/property/causal_observer.h"
#include "tests/property/random_cluster.h"
#include "tests/property/run_engine.h"

namespace tokensim {
namespace {

TEST(Clusters, EventsAreCausalAndTellEverything) {
  int64_t transfers = 0;
  int64_t fetches = 0;
  int64_t swaps = 0;
  int64_t migrations = 0;
  int64_t lost_workers = 0;
  for (uint64_t seed = 1; seed <= Seeds(2000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomCluster(seed);
    CausalObserver observer(*plan);
    const Results results = RunEngine(plan, &observer);
    observer.ExpectComplete(results);
    if (HasFailure()) return;
    transfers += observer.transfers;
    fetches += observer.fetches;
    swaps += observer.swaps_out;
    migrations += observer.migrations;
    lost_workers += observer.lost_workers;
  }
  EXPECT_GE(transfers, Cases(10'000));
  EXPECT_GE(fetches, Cases(1000));
  EXPECT_GE(swaps, Cases(1000));
  EXPECT_GE(migrations, Cases(100));
  EXPECT_GE(lost_workers, Cases(1000));
}

TEST(Clusters, RunTheSameHoweverTheyAreRun) {
  for (uint64_t seed = 1; seed <= Seeds(1000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomCluster(seed);
    const Results whole = RunEngine(plan);
    EXPECT_TRUE(SameResults(whole, RunEngine(RandomCluster(seed)))) << "twice";
    EXPECT_TRUE(SameResults(whole, RunEngine(plan, nullptr, 1))) << "event by event";
    EXPECT_TRUE(SameResults(whole, RunEngine(plan, nullptr, 37))) << "in slices";
    CausalObserver observer(*plan);
    EXPECT_TRUE(SameResults(whole, RunEngine(plan, &observer, 20))) << "observed";
    if (HasFailure()) return;
  }
}

TEST(Clusters, WhereBatchesWaitRunTheSameHoweverTheyAreRun) {
  for (uint64_t seed = 1; seed <= Seeds(1000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomWaitingCluster(seed);
    const Results whole = RunEngine(plan);
    EXPECT_TRUE(SameResults(whole, RunEngine(plan, nullptr, 1))) << "event by event";
    EXPECT_TRUE(SameResults(whole, RunEngine(plan, nullptr, 37))) << "in slices";
    CausalObserver observer(*plan);
    const Results observed = RunEngine(plan, &observer, 20);
    EXPECT_TRUE(SameResults(whole, observed)) << "observed";
    observer.ExpectComplete(observed);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace tokensim
