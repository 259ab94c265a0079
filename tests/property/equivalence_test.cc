// The engine, which pays per scheduling event, against the reference, which pays per token.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <variant>
#include <vector>

#include "engine/base/test_cases.h"
#include "engine/policy/global/registry.h"
#include "engine/workload/test_traffic.h"
#include "tests/property/draws.h"
#include "tests/property/random_cluster.h"
#include "tests/property/random_plan.h"
#include "tests/property/reference_simulation.h"
#include "tests/property/run_engine.h"

namespace tokensim {
namespace {

void ExpectSameStats(const WorkerStats& expected, const WorkerStats& actual) {
  EXPECT_EQ(expected.finished, actual.finished);
  EXPECT_EQ(expected.iterations, actual.iterations);
  EXPECT_EQ(expected.prefill_tokens, actual.prefill_tokens);
  EXPECT_EQ(expected.decode_tokens, actual.decode_tokens);
  EXPECT_EQ(expected.preemptions, actual.preemptions);
  EXPECT_EQ(expected.busy, actual.busy);
  EXPECT_EQ(expected.max_running, actual.max_running);
  EXPECT_EQ(expected.max_kv_blocks_used, actual.max_kv_blocks_used);
  EXPECT_EQ(expected.prefilled, actual.prefilled);
  EXPECT_EQ(expected.swapped_out_blocks, actual.swapped_out_blocks);
  EXPECT_EQ(expected.swapped_in_blocks, actual.swapped_in_blocks);
  EXPECT_EQ(expected.max_host_blocks_used, actual.max_host_blocks_used);
  EXPECT_EQ(expected.unavailable, actual.unavailable);
  EXPECT_TRUE(expected.occupancy == actual.occupancy);
}

void ExpectSame(const ReferenceResults& expected, const Results& actual) {
  std::vector<int64_t> ended;
  for (const RequestRecord& r : actual.records) ended.push_back(r.request_id);
  EXPECT_EQ(expected.ended, ended);
  EXPECT_TRUE(SameRecords(expected.records, Sorted(actual.records)));
  EXPECT_EQ(expected.end_reason, actual.end_reason);
  EXPECT_EQ(expected.end_time, actual.end_time);
  EXPECT_EQ(expected.arrived, actual.arrived);
  EXPECT_EQ(expected.events, actual.events);
  EXPECT_EQ(expected.migrations, actual.migrations);
  EXPECT_EQ(expected.redispatched, actual.redispatched);
  EXPECT_TRUE(expected.homeless == actual.homeless);
  EXPECT_EQ(expected.pool.hit_tokens, actual.pool.hit_tokens);
  EXPECT_EQ(expected.pool.evicted_tokens, actual.pool.evicted_tokens);
  EXPECT_EQ(expected.pool.max_bytes, actual.pool.max_bytes);
  ASSERT_EQ(expected.workers.size(), actual.workers.size());
  for (size_t i = 0; i < expected.workers.size(); ++i) {
    SCOPED_TRACE("worker " + std::to_string(i));
    ExpectSameStats(expected.workers[i], actual.workers[i]);
  }
}

// What the random plans exercised: a generator that lost its pressure would prove nothing.
struct Coverage {
  int64_t preempted = 0;
  int64_t preempted_twice = 0;
  int64_t one_token = 0;
  int64_t rejected_max_model_len = 0;
  int64_t rejected_kv_capacity = 0;
  int64_t waited = 0;

  void Add(const ReferenceResults& results) {
    for (const RequestRecord& r : results.records) {
      preempted += r.preemptions > 0;
      preempted_twice += r.preemptions > 1;
      one_token += r.output_tokens == 1 && r.reject_reason == RejectReason::kNone;
      rejected_max_model_len += r.reject_reason == RejectReason::kMaxModelLen;
      rejected_kv_capacity += r.reject_reason == RejectReason::kKvCapacity;
      waited += r.scheduled > r.queued;
    }
  }
  [[nodiscard]] int64_t Least() const {
    return std::min({preempted, preempted_twice, one_token, rejected_max_model_len,
                     rejected_kv_capacity, waited});
  }
};

class EquivalenceTest : public testing::TestWithParam<Policies> {};

TEST_P(EquivalenceTest, EngineEqualsReference) {
  Coverage coverage;
  for (uint64_t seed = 1; seed <= Seeds(300); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomPlan(seed, GetParam());
    const ReferenceResults expected = RunReference(*plan);
    coverage.Add(expected);
    ExpectSame(expected, RunEngine(plan));
    if (HasFailure()) return;
  }
  EXPECT_GE(coverage.Least(), Cases(20));
}

TEST_P(EquivalenceTest, EngineEqualsReferenceWithKnobs) {
  int64_t swapped_out = 0;
  int64_t swapped_in = 0;
  int64_t preempted = 0;
  for (uint64_t seed = 1; seed <= Seeds(300); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    auto plan = std::make_shared<Plan>(*RandomPlan(seed, GetParam()));
    AddKnobs(seed, plan.get());
    const ReferenceResults expected = RunReference(*plan);
    ExpectSame(expected, RunEngine(plan));
    if (HasFailure()) return;
    for (const WorkerStats& stats : expected.workers) {
      swapped_out += stats.swapped_out_blocks;
      swapped_in += stats.swapped_in_blocks;
      preempted += stats.preemptions;
    }
  }
  EXPECT_GE(swapped_out, Cases(1000));
  EXPECT_EQ(swapped_out, swapped_in);
  EXPECT_GE(preempted, Cases(500));
}

// A client with few places, which hears of ends late.
TEST_P(EquivalenceTest, EngineEqualsReferenceWithPlaces) {
  int64_t waited = 0;
  for (uint64_t seed = 1; seed <= Seeds(200); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    auto plan = std::make_shared<Plan>(*RandomPlan(seed, GetParam()));
    AddKnobs(seed, plan.get());
    if (seed % 3 == 0) AddRoles(seed, plan.get());
    const ReferenceResults free = RunReference(*plan);
    plan->workload.max_in_flight = 1 + static_cast<int64_t>(seed % 7);
    plan->response_delay = static_cast<SimTime>(seed % 3) * 900'000;
    const ReferenceResults expected = RunReference(*plan);
    ExpectSame(expected, RunEngine(plan));
    if (HasFailure()) return;
    for (size_t i = 0; i < std::min(free.records.size(), expected.records.size()); ++i) {
      waited += expected.records[i].arrival > free.records[i].arrival;
    }
  }
  EXPECT_GE(waited, Cases(1000));
}

// Every local scheduler, prompts computed here and answers there.
TEST_P(EquivalenceTest, EngineEqualsReferenceWithRoles) {
  int64_t handed_on = 0;
  int64_t migrated = 0;
  int64_t preempted = 0;
  for (uint64_t seed = 1; seed <= Seeds(300); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    auto plan = std::make_shared<Plan>(*RandomPlan(seed, GetParam()));
    AddKnobs(seed, plan.get());
    AddRoles(seed, plan.get());
    const ReferenceResults expected = RunReference(*plan);
    ExpectSame(expected, RunEngine(plan));
    if (HasFailure()) return;
    migrated += expected.migrations;
    for (const RequestRecord& r : expected.records) {
      handed_on += r.kv_transfer != kUnset;
      preempted += r.kv_transfer != kUnset && r.preemptions > 0;
    }
  }
  EXPECT_GE(handed_on, Cases(1000));
  EXPECT_GE(migrated, Cases(50));
  EXPECT_GE(preempted, Cases(50));
}

// Prompts that begin alike, and workers that remember.
TEST_P(EquivalenceTest, EngineEqualsReferenceWithCaches) {
  int64_t cached = 0;
  int64_t fetched = 0;
  int64_t fetched_blocking = 0;
  for (uint64_t seed = 1; seed <= Seeds(300); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    auto plan = std::make_shared<Plan>(*RandomPlan(seed, GetParam()));
    AddTraffic(seed, plan.get());
    AddKnobs(seed, plan.get());
    AddCaches(seed, plan.get());
    if (seed % 2 == 0) AddRoles(seed, plan.get());
    if (seed % 4 == 1) {  // decides by how much of a prompt each worker has, to the token
      plan->global_scheduler = GlobalSchedulers().Make("weighted", {{"weights.queue_depth", 0.3},
                                                                    {"weights.kv_use", 0.3},
                                                                    {"weights.prefix_hit", 1.0},
                                                                    {"weights.load", 0.3}});
    }
    const ReferenceResults expected = RunReference(*plan);
    ExpectSame(expected, RunEngine(plan));
    if (HasFailure()) return;
    for (const RequestRecord& r : expected.records) cached += r.cached_tokens > 0;
    fetched += expected.pool.hit_tokens;
    if (plan->memory_pool && plan->memory_pool->load == PoolLoad::kBlocking) {
      fetched_blocking += expected.pool.hit_tokens;
    }
  }
  EXPECT_GE(cached, Cases(2000));
  EXPECT_GE(fetched, Cases(10'000));
  EXPECT_GE(fetched_blocking, Cases(3'000));
}

// Workers that fail, recover, start and stop, with and without KV caches on their way.
TEST_P(EquivalenceTest, EngineEqualsReferenceWithFaults) {
  int64_t redispatched = 0;
  int64_t no_worker = 0;
  int64_t moved = 0;  // and lost a worker
  for (uint64_t seed = 1; seed <= Seeds(200); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    auto plan = std::make_shared<Plan>(*RandomPlan(seed, GetParam()));
    if (seed % 2 == 0) AddTraffic(seed, plan.get());
    AddKnobs(seed, plan.get());
    if (seed % 4 < 2) AddCaches(seed, plan.get());
    if (seed % 3 > 0) AddRoles(seed, plan.get());
    if (seed % 5 > 1) AddNetwork(seed, plan.get());
    if (seed % 5 == 0) {  // many KV caches come and go over slow host links
      for (WorkerPlan& worker : plan->workers) {
        worker.scheduler.preemption = PreemptionMode::kSwap;
        worker.host_blocks = worker.kv_blocks;
        worker.overlap_swap = true;
        worker.host_link = {.bandwidth_bytes_per_second = 1e6, .latency_seconds = 1e-3};
      }
    }
    AddFaults(seed, plan.get());
    const ReferenceResults expected = RunReference(*plan);
    ExpectSame(expected, RunEngine(plan));
    if (HasFailure()) return;
    redispatched += expected.redispatched;
    for (const RequestRecord& r : expected.records) {
      no_worker += r.reject_reason == RejectReason::kNoWorker;
      moved += expected.redispatched > 0 && r.kv_transfer > 0;
    }
  }
  EXPECT_GE(redispatched, Cases(500));
  EXPECT_GE(no_worker, Cases(200));
  EXPECT_GE(moved, Cases(500));
}

// Long enough for rings and logs to wrap and be trimmed.
TEST_P(EquivalenceTest, EngineEqualsReferenceOnLongRuns) {
  auto plan = std::make_shared<Plan>(*RandomPlan(5, GetParam()));
  plan->workload.num_requests = 3000;
  plan->workload.arrivals = PoissonArrivals{600};
  plan->workload.lengths =
      IndependentLengths{LogNormalLength{.median = 100, .sigma = 1, .min = 1, .max = 2000},
                         LogNormalLength{.median = 60, .sigma = 1.2, .min = 1, .max = 3000}};
  plan->workers.resize(1);
  WorkerPlan& worker = plan->workers[0];
  worker.compute = std::make_shared<ProbeModel>();
  worker.block_size = 16;
  worker.kv_blocks = 400;
  worker.max_model_len = 4500;
  worker.scheduler.max_num_seqs = 64;
  worker.scheduler.max_num_batched_tokens = 4096;
  plan->workers.push_back(worker);
  plan->workers[1].kv_blocks = 300;
  const ReferenceResults expected = RunReference(*plan);
  EXPECT_GT(expected.workers[0].preemptions, 20);
  ExpectSame(expected, RunEngine(plan));
}

// Outputs longer than any ring or block of a log, a few at a time.
TEST_P(EquivalenceTest, EngineEqualsReferenceOnVeryLongOutputs) {
  auto plan = std::make_shared<Plan>(*RandomPlan(6, GetParam()));
  auto trace = std::make_shared<TraceTable>();
  trace->input_tokens = {1, 40'000, 7, 300, 16, 17, 1, 5000};
  trace->output_tokens = {70'000, 3, 1, 4096, 4097, 1024, 33'000, 65'536};
  trace->arrival = {0, 0, 10, 10, 2'000'000, 9'000'000'000, 9'000'000'000, 30'000'000'000};
  plan->workload.num_requests = trace->size();
  plan->workload.arrivals = TraceArrivals{};
  plan->workload.lengths = TraceLengths{};
  plan->workload.trace = trace;
  plan->workers.resize(1);
  WorkerPlan& worker = plan->workers[0];
  worker.compute = std::make_shared<ProbeModel>();
  worker.block_size = 16;
  worker.kv_blocks = 9000;
  worker.max_model_len = 200'000;
  worker.scheduler.max_num_seqs = 8;
  worker.scheduler.max_num_batched_tokens = 512;
  const ReferenceResults expected = RunReference(*plan);
  EXPECT_EQ(expected.workers[0].finished, trace->size());
  EXPECT_GE(expected.workers[0].iterations, 70'000);
  ExpectSame(expected, RunEngine(plan));
}

INSTANTIATE_TEST_SUITE_P(
    AllPolicies, EquivalenceTest,
    testing::Values(Policies{"chunked", "round_robin"}, Policies{"chunked", "least_requests"},
                    Policies{"orca", "round_robin"}, Policies{"orca", "least_requests"},
                    Policies{"static", "round_robin"}, Policies{"static", "least_requests"},
                    Policies{"vllm_v0", "round_robin"}, Policies{"vllm_v0", "least_requests"}),
    [](const auto& tested) { return NameOf(tested.param); });

// Workers of one run may differ in everything.
TEST(MixedPolicies, EngineEqualsReference) {
  for (uint64_t seed = 1; seed <= Seeds(300); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::vector<bool> reserves;
    auto plan = std::make_shared<Plan>(*RandomPlan(seed, {"chunked", "least_requests"}, &reserves));
    for (size_t i = 0; i < plan->workers.size(); ++i) {
      constexpr std::array kPolicies = {"static", "chunked", "orca", "vllm_v0"};
      plan->workers[i].scheduler.policy = Local(kPolicies[i % kPolicies.size()], reserves[i]);
    }
    ExpectSame(RunReference(*plan), RunEngine(plan));
    if (testing::Test::HasFailure()) return;
  }
}

// Everything at once: every kind of link and transfer, faults, recoveries, scaling.
TEST(RandomClusters, EngineEqualsReference) {
  int64_t with_faults = 0;
  int64_t redispatched = 0;
  int64_t no_worker = 0;
  int64_t fetched_by_ranks = 0;  // or by workers beside them, while iterations wait
  for (uint64_t seed = 1; seed <= Seeds(2000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomCluster(seed);
    if (seed % 4 == 0) {  // a front end
      plan->request_delay = static_cast<SimTime>(seed % 7) * 1'000'000;
      plan->response_delay = static_cast<SimTime>(seed % 5) * 700'000;
    }
    const ReferenceResults expected = RunReference(*plan);
    ExpectSame(expected, RunEngine(plan));
    if (testing::Test::HasFailure()) return;
    with_faults += !plan->worker_events.empty();
    redispatched += expected.redispatched;
    if (plan->memory_pool && plan->memory_pool->load == PoolLoad::kBlocking &&
        plan->workers.back().lockstep_first >= 0) {
      fetched_by_ranks += expected.pool.hit_tokens;
    }
    for (const RequestRecord& r : expected.records) {
      no_worker += r.reject_reason == RejectReason::kNoWorker;
    }
  }
  EXPECT_GE(with_faults, Cases(500));
  EXPECT_GE(fetched_by_ranks, Cases(1000));
  EXPECT_GE(redispatched, Cases(1500));
  EXPECT_GE(no_worker, Cases(1000));
}

// The same clusters, most workers of which wait until a batch is full.
TEST(RandomClusters, EngineEqualsReferenceWhereBatchesWait) {
  int64_t waited = 0;  // beside an idle worker, of all requests
  int64_t redispatched = 0;
  int64_t moved = 0;
  for (uint64_t seed = 1; seed <= Seeds(2000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomWaitingCluster(seed);
    const ReferenceResults expected = RunReference(*plan);
    ExpectSame(expected, RunEngine(plan));
    if (testing::Test::HasFailure()) return;
    redispatched += expected.redispatched;
    for (const RequestRecord& r : expected.records) {
      waited += r.scheduled > r.queued;
      moved += r.kv_transfer > 0;
    }
  }
  EXPECT_GE(waited, Cases(30'000));
  EXPECT_GE(redispatched, Cases(1'000));
  EXPECT_GE(moved, Cases(5'000));
}

// Clusters of which most workers have windows, states, or blocks of several sizes.
TEST(RandomClusters, EngineEqualsReferenceWithLayouts) {
  int64_t windows = 0;  // workers
  int64_t chunked = 0;
  int64_t states = 0;
  int64_t preempted = 0;
  int64_t swapped = 0;
  int64_t fetched = 0;
  int64_t moved = 0;
  for (uint64_t seed = 1; seed <= Seeds(2000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomLayoutCluster(seed);
    const ReferenceResults expected = RunReference(*plan);
    ExpectSame(expected, RunEngine(plan));
    if (testing::Test::HasFailure()) return;
    for (size_t i = 0; i < plan->workers.size(); ++i) {
      const WorkerStats& stats = expected.workers[i];
      if (plan->workers[i].layout == nullptr || stats.finished == 0) continue;
      for (const BlockGroup& group : plan->workers[i].layout->config().groups) {
        windows += group.window > 0 && !group.chunked;
        chunked += group.chunked;
        states += group.state_blocks > 0;
      }
      preempted += stats.preemptions;
      swapped += stats.swapped_in_blocks;
    }
    fetched += expected.pool.hit_tokens;
    for (const RequestRecord& r : expected.records) moved += r.kv_transfer > 0;
  }
  EXPECT_GE(windows, 2'000);
  EXPECT_GE(chunked, 500);
  EXPECT_GE(states, 500);
  EXPECT_GE(preempted, 2'000);
  EXPECT_GE(swapped, 1'000);
  EXPECT_GE(fetched, 1'000);
  EXPECT_GE(moved, 5'000);
}

// Prefix caches over windows: what is found, what windows leave behind, and what is reused first.
TEST(RandomClusters, EngineEqualsReferenceWithCachedLayouts) {
  int64_t windows = 0;  // requests on workers with them that found something
  int64_t chunked = 0;
  int64_t preempted = 0;
  for (uint64_t seed = 1; seed <= Seeds(2000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomCachedLayoutCluster(seed);
    const ReferenceResults expected = RunReference(*plan);
    ExpectSame(expected, RunEngine(plan));
    if (testing::Test::HasFailure()) return;
    for (const WorkerStats& stats : expected.workers) preempted += stats.preemptions;
    for (const RequestRecord& r : expected.records) {
      if (r.cached_tokens == 0 || r.prefill_worker < 0) continue;
      const WorkerPlan& worker = plan->workers[static_cast<size_t>(r.prefill_worker)];
      if (worker.layout == nullptr || !worker.prefix_caching) continue;
      for (const BlockGroup& group : worker.layout->groups()) {
        windows += group.window > 0 && !group.chunked;
        chunked += group.chunked;
      }
    }
  }
  EXPECT_GE(windows, 2'000);
  EXPECT_GE(chunked, 500);
  EXPECT_GE(preempted, 2'000);
}

// A layout of one full group is what workers without one have, bit for bit.
TEST(RandomClusters, OneFullGroupIsNoLayout) {
  for (uint64_t seed = 1; seed <= Seeds(300); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomCluster(seed);
    const auto same = std::make_shared<Plan>(*plan);
    for (WorkerPlan& worker : same->workers) {
      // What one may have at most is asked of a layout only up to the longest request.
      worker.max_model_len = std::max(worker.max_model_len, worker.kv_blocks * worker.block_size);
      worker.layout = std::make_shared<const BlockLayout>(BlockLayoutConfig{
          .groups = {{.block_size = worker.block_size, .token_bytes = worker.kv_bytes_per_token}},
          .block_bytes = worker.kv_bytes_per_token * worker.block_size,
          .largest_chunk = worker.scheduler.max_num_batched_tokens});
    }
    for (size_t i = 0; i < plan->workers.size(); ++i) {
      plan->workers[i].max_model_len = same->workers[i].max_model_len;
    }
    EXPECT_TRUE(SameResults(RunEngine(plan), RunEngine(same)));
    if (HasFailure()) return;
  }
}

// Whether requests can go on arriving until a time.
bool CanHaveDuration(const Workload& workload) {
  const ArrivalFactory& process = *workload.arrivals.process;
  if (process.name() == "uniform") return false;
  if (process.name() == "burst") return process.values().real("interval_seconds") > 0;
  return workload.trace == nullptr || workload.trace->arrival.empty() ||
         workload.trace->arrival.back() > 0;
}

// Arrivals that end at a time, and links of each worker's own.
TEST(Equivalence, EngineEqualsReferenceWithDurationsAndConnections) {
  int64_t timed = 0;
  int64_t arrived = 0;
  int64_t moved = 0;
  for (uint64_t seed = 1; seed <= Seeds(300); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomCluster(seed);
    Draws draws(seed, "connections");
    for (size_t i = 0; i < plan->workers.size(); ++i) {
      LinkConfig link{.latency_seconds = draws.OneIn(3) ? 0 : draws.Seconds(1e-3)};
      if (!draws.OneIn(3)) link.bandwidth_bytes_per_second = 1e5 + draws.Seconds(1e7);
      plan->network.connections.push_back(link);
    }
    if (CanHaveDuration(plan->workload)) {
      plan->workload.duration = draws.Between(1, 3'000) * 1'000'000;
      ++timed;
    }
    const ReferenceResults expected = RunReference(*plan);
    ExpectSame(expected, RunEngine(plan));
    if (HasFailure()) return;
    for (const RequestRecord& r : expected.records) {
      EXPECT_LE(r.arrival, plan->workload.last_arrival());
      moved += r.kv_transfer != kUnset;
    }
    arrived += expected.arrived;
  }
  EXPECT_GE(timed, Cases(100));
  EXPECT_GE(arrived, Cases(5'000));
  EXPECT_GE(moved, Cases(1'000));
}

}  // namespace
}  // namespace tokensim
