// What the policies see is what is there: after every event the signals of a worker are those that
// one who looks into it would find.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/cluster/cluster.h"
#include "tests/property/random_cluster.h"
#include "tests/property/run_engine.h"

namespace tokensim {
namespace {

void ExpectTrue(const Cluster& cluster) {
  const WorkerSignals& signals = cluster.signals();
  for (size_t i = 0; i < cluster.size(); ++i) {
    SCOPED_TRACE("worker " + std::to_string(i));
    const WorkerState& state = cluster.worker(i).state();
    EXPECT_EQ(signals.outstanding[i], state.requests());
    EXPECT_EQ(signals.waiting[i], state.waiting_count());
    EXPECT_EQ(signals.kv_used[i], state.pool().used());
    EXPECT_EQ(signals.kv_total[i], state.pool().total());
    EXPECT_EQ(signals.outstanding_tokens[i], state.pending_tokens());
  }
}

TEST(Signals, SayWhatIsThere) {
  for (uint64_t seed = 1; seed <= Seeds(1000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomCluster(seed);
    const Results results = RunEngineByEvents(plan, nullptr, [](const Simulation& simulation) {
      if (testing::Test::HasFailure()) return;
      SCOPED_TRACE("at " + std::to_string(simulation.progress().now) + " ns");
      ExpectTrue(simulation.cluster());
    });
    EXPECT_EQ(results.end_reason, EndReason::kCompleted);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace tokensim
