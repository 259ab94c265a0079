// MemoryConservation: what is allocated in a tier is somebody's, and comes back.
//
// After every event, on every worker:
//   device  used <= total; blocks are in use if and only if a request runs there, leaves with its
//           last iteration, or has a KV cache that comes (loading, loaded) or goes (outgoing). Free
//           blocks that can still be found count as free. There is no null block as vLLM's: the
//           blocks of a plan are the usable ones.
//   host    used <= total; blocks are in use only while a request waits or loads.
//   pool    used <= capacity.
// At the end of a run device and host are empty; the pool holds conversations that would go on.
//
// Blocks may well be in use where no event has put a request: a layer-wise transfer reserves them
// at the receiver before the request leaves the sender, and a prefilled request keeps them at the
// sender while no worker decodes.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "engine/base/test_cases.h"
#include "engine/cluster/cluster.h"
#include "tests/property/causal_observer.h"
#include "tests/property/random_cluster.h"
#include "tests/property/run_engine.h"

namespace tokensim {
namespace {

// What the checks came across.
struct Seen {
  int64_t device = 0;    // workers with blocks in use
  int64_t host = 0;      // ... of host memory
  int64_t reserved = 0;  // ... only for a KV cache that comes
  int64_t outgoing = 0;  // ... only for one that goes
};

void ExpectBlocksHaveHolders(const Worker& worker, Seen* seen) {
  const WorkerState& state = worker.state();
  const int64_t used = state.pool().used();
  ASSERT_GE(used, 0);
  ASSERT_LE(used, state.pool().total());
  const int32_t loading = state.holders() - state.present_count();
  const bool loaded = state.has_waiting() && state.front().computed > 0;
  const bool outgoing = state.expects_blocks() && loading == 0;
  const bool held = state.present_count() > 0 || loading > 0 || loaded || outgoing;
  ASSERT_EQ(used > 0, held) << used << " blocks; " << state.present_count() << " run, " << loading
                            << " load";
  const PrefixCache* cache = state.pool().cache();
  if (cache != nullptr) {
    ASSERT_LE(cache->cached_free(), state.free_blocks());
  }
  seen->device += used > 0;
  seen->reserved += state.present_count() == 0 && loading > 0;
  seen->outgoing += state.present_count() == 0 && outgoing;

  const HostTier& host = state.host();
  ASSERT_GE(host.used(), 0);
  ASSERT_LE(host.used(), host.total());
  if (host.used() > 0) {
    ASSERT_TRUE(state.waiting_count() > 0 || loading > 0) << host.used() << " blocks";
  }
  seen->host += host.used() > 0;
}

void ExpectConserved(const Plan& plan, const Cluster& cluster, Seen* seen) {
  for (size_t i = 0; i < cluster.size(); ++i) {
    SCOPED_TRACE("worker " + std::to_string(i));
    ExpectBlocksHaveHolders(cluster.worker(i), seen);
  }
  ASSERT_GE(cluster.pool_bytes(), 0);
  if (plan.memory_pool && plan.memory_pool->capacity_bytes > 0) {
    ASSERT_LE(cluster.pool_bytes(), plan.memory_pool->capacity_bytes);
  }
}

// The KV caches of conversations whose last request so far was answered, in bytes.
int64_t MostKept(const Plan& plan, const Results& results) {
  std::map<int64_t, int64_t> bytes;
  for (const RequestRecord& r : results.records) {
    if (r.conversation < 0) continue;
    const bool answered = r.reject_reason == RejectReason::kNone;
    bytes[r.conversation] = answered
                                ? (int64_t{r.input_tokens} + r.output_tokens - 1) *
                                      plan.workers[static_cast<size_t>(r.worker)].kv_bytes_per_token
                                : 0;
  }
  int64_t sum = 0;
  for (const auto& [conversation, kept] : bytes) sum += kept;
  return sum;
}

TEST(MemoryConservation, WhatIsInUseIsSomebodysAndComesBack) {
  Seen seen;
  for (uint64_t seed = 1; seed <= Seeds(1200); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = seed % 5 == 0 ? RandomWaitingCluster(seed) : RandomCluster(seed);
    CausalObserver observer(*plan);
    int64_t pool_bytes = 0;
    int64_t in_use = 0;  // device and host blocks, after the last event
    const Results results = RunEngineByEvents(
        plan, seed % 2 == 0 ? &observer : nullptr, [&](const Simulation& simulation) {
          if (testing::Test::HasFatalFailure()) return;
          SCOPED_TRACE("at " + std::to_string(simulation.progress().now) + " ns");
          const Cluster& cluster = simulation.cluster();
          ExpectConserved(*plan, cluster, &seen);
          pool_bytes = cluster.pool_bytes();
          in_use = 0;
          for (size_t i = 0; i < cluster.size(); ++i) {
            in_use += cluster.worker(i).state().pool().used();
            in_use += cluster.worker(i).state().host().used();
          }
        });
    EXPECT_EQ(results.end_reason, EndReason::kCompleted);
    EXPECT_EQ(in_use, 0);
    EXPECT_LE(pool_bytes, MostKept(*plan, results));
    if (HasFailure()) return;
  }
  EXPECT_GE(seen.device, Cases(100'000));
  EXPECT_GE(seen.host, Cases(5'000));
  EXPECT_GE(seen.reserved, Cases(1'000));
  EXPECT_GE(seen.outgoing, Cases(1'000));
}

// The same where layers do not all keep every token.
TEST(MemoryConservation, WhatLeavesAWindowComesBack) {
  Seen seen;
  for (uint64_t seed = 1; seed <= Seeds(600); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = seed % 2 == 0 ? RandomCachedLayoutCluster(seed) : RandomLayoutCluster(seed);
    int64_t in_use = 0;
    const Results results = RunEngineByEvents(plan, nullptr, [&](const Simulation& simulation) {
      if (testing::Test::HasFatalFailure()) return;
      const Cluster& cluster = simulation.cluster();
      ExpectConserved(*plan, cluster, &seen);
      in_use = 0;
      for (size_t i = 0; i < cluster.size(); ++i) {
        in_use += cluster.worker(i).state().pool().used();
        in_use += cluster.worker(i).state().host().used();
      }
    });
    EXPECT_EQ(results.end_reason, EndReason::kCompleted);
    EXPECT_EQ(in_use, 0);
    if (HasFailure()) return;
  }
  EXPECT_GE(seen.device, 50'000);
  EXPECT_GE(seen.host, 1'000);
}

// In conversations of two turns each, a pool without a limit keeps exactly the first turns whose
// second did not come any more.
TEST(MemoryConservation, ThePoolKeepsWhatGoesOn) {
  int64_t kept = 0;
  for (uint64_t seed = 1; seed <= Seeds(300); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomCluster(seed);
    plan->workload.conversations = {.single_turn_share = 0, .min_turns = 2, .max_turns = 2};
    plan->memory_pool.emplace();
    int64_t pool_bytes = 0;
    Results results = RunEngineByEvents(plan, nullptr, [&](const Simulation& simulation) {
      pool_bytes = simulation.cluster().pool_bytes();
    });
    EXPECT_EQ(results.end_reason, EndReason::kCompleted);
    std::vector<RequestRecord> rows = results.records.Rows();
    for (RequestRecord& r : rows) {
      if (r.turn == 1) r.reject_reason = RejectReason::kNoWorker;  // as one that keeps nothing
    }
    results.records = rows;
    EXPECT_EQ(pool_bytes, MostKept(*plan, results));
    kept += pool_bytes;
    if (HasFailure()) return;
  }
  EXPECT_GT(kept, 0);
}

}  // namespace
}  // namespace tokensim
