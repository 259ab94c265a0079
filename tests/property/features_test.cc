// Features that are off, or cannot matter, change nothing: the same records, worker figures and
// timelines, bit for bit.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "engine/network/sharing_registry.h"
#include "engine/policy/global/registry.h"
#include "engine/policy/order/registry.h"
#include "tests/property/event_log.h"
#include "tests/property/random_cluster.h"
#include "tests/property/random_plan.h"
#include "tests/property/run_engine.h"

namespace tokensim {
namespace {

using Change = std::function<void(Plan*)>;

struct Feature {
  std::string name;
  Change without;  // makes the plan one in which it cannot matter
  Change with;     // turns it on
};
void PrintTo(const Feature& feature, std::ostream* out) { *out << feature.name; }

Change ForWorkers(std::function<void(WorkerPlan*)> change) {
  return [change = std::move(change)](Plan* plan) {
    for (WorkerPlan& worker : plan->workers) change(&worker);
  };
}

void NoRoles(Plan* plan) {
  for (WorkerPlan& worker : plan->workers) worker.role = Role::kBoth;
  for (WorkerPlan& worker : plan->workers) worker.drops_cache = false;
  plan->migrate_on_pressure = false;
}
void NoSwaps(Plan* plan) {
  for (WorkerPlan& worker : plan->workers) {
    worker.scheduler.preemption = PreemptionMode::kRecompute;
    worker.host_blocks = 0;
    worker.overlap_swap = false;
  }
}
void NoConversations(Plan* plan) { plan->workload.conversations.reset(); }
void NoSharedText(Plan* plan) {
  NoConversations(plan);
  plan->workload.prefix_groups.reset();
  auto trace = std::make_shared<TraceTable>(*plan->workload.trace);
  trace->hash_ids.clear();
  trace->hash_begin.clear();
  plan->workload.trace = std::move(trace);
}
void RoundRobin(Plan* plan) {
  plan->global_scheduler = GlobalSchedulers().Make("round_robin");
  plan->transfer_scheduler = GlobalSchedulers().Make("round_robin");
}

const Feature kFeatures[] = {
    {"SignalDelayOfRoundRobin", RoundRobin,
     [](Plan* plan) { plan->signal_delay = plan->signal_delay == 0 ? 7'000'000 : 0; }},
    {"HostMemoryWithoutSwaps", NoSwaps, ForWorkers([](WorkerPlan* worker) {
       worker->host_blocks = 1000;
       worker->host_link = {.bandwidth_bytes_per_second = 1e3, .latency_seconds = 1};
     })},
    {"OverlappedSwapsWithoutSwaps", NoSwaps,
     ForWorkers([](WorkerPlan* worker) { worker->overlap_swap = true; })},
    {"SwapsWithoutHostMemory", NoSwaps,
     ForWorkers([](WorkerPlan* worker) { worker->scheduler.preemption = PreemptionMode::kSwap; })},
    {"MemoryPoolWithoutConversations",
     [](Plan* plan) {
       NoConversations(plan);
       plan->memory_pool.reset();
     },
     [](Plan* plan) { plan->memory_pool.emplace().fetch_latency_per_block_seconds = 1; }},
    {"PrefixCachesWithoutSharedText",
     [](Plan* plan) {
       NoSharedText(plan);
       plan->memory_pool.reset();
       for (WorkerPlan& worker : plan->workers) worker.prefix_caching = false;
     },
     ForWorkers([](WorkerPlan* worker) { worker->prefix_caching = true; })},
    {"MigrationOfOneWorker",
     [](Plan* plan) {
       NoRoles(plan);
       plan->workers.resize(1);
       plan->workers[0].scheduler.async_depth = 1;
       plan->workers[0].lockstep_first = -1;
       plan->worker_events.clear();
     },
     [](Plan* plan) { plan->migrate_on_pressure = true; }},
    {"FairnessToOneClass",
     [](Plan* plan) {
       plan->workload.classes.clear();
       plan->classes.clear();
       for (WorkerPlan& worker : plan->workers)
         worker.scheduler.queue_order = QueueOrders().Make("fcfs");
     },
     ForWorkers(
         [](WorkerPlan* worker) { worker->scheduler.queue_order = QueueOrders().Make("fair"); })},
    {"NetworkWithoutTransfers",
     [](Plan* plan) {
       NoRoles(plan);
       plan->memory_pool.reset();
     },
     [](Plan* plan) {
       plan->network = {.intra_node = {.bandwidth_bytes_per_second = 1, .latency_seconds = 1},
                        .sharing = SharingRules().Make("fifo"),
                        .mode = TransferMode::kLayerwise,
                        .groups = 7};
       plan->transfer_scheduler = GlobalSchedulers().Make("power_of_two");
       for (size_t i = 0; i < plan->workers.size(); ++i) {
         plan->workers[i].num_layers = 9;
         plan->workers[i].node = static_cast<int32_t>(i % 2);
       }
     }},
    {"ConnectionsLikeTheNetwork", [](Plan* plan) { plan->network.connections.clear(); },
     [](Plan* plan) {
       plan->network.connections.assign(plan->workers.size(), plan->network.intra_node);
     }},
    {"BytesOfCachesThatStay",
     [](Plan* plan) {
       NoRoles(plan);
       NoSwaps(plan);
       plan->memory_pool.reset();
     },
     ForWorkers([](WorkerPlan* worker) { worker->kv_bytes_per_token = 123'456; })},
    {"BufferingOfOneGroup",
     [](Plan* plan) {
       plan->network.mode = TransferMode::kSequential;
       plan->network.groups = 1;
     },
     [](Plan* plan) {
       plan->network.mode = TransferMode::kBuffered;
       plan->network.buffered_groups = 3;
     }},
    {"WatermarkOfLessThanABlock",
     ForWorkers([](WorkerPlan* worker) { worker->scheduler.watermark = 0; }),
     ForWorkers([](WorkerPlan* worker) {
       worker->scheduler.watermark = 0.9 / static_cast<double>(worker->kv_blocks);
     })},
    {"PrioritiesOfFcfs", ForWorkers([](WorkerPlan* worker) {
       worker->scheduler.queue_order = QueueOrders().Make("fcfs");
     }),
     [](Plan* plan) {
       plan->slo.ttft = 1;
       for (ClassPlan& client : plan->classes) client.priority = -client.priority;
     }},
    {"PlacesForEverybody", [](Plan*) {},
     [](Plan* plan) { plan->workload.max_in_flight = 10'000'000; }},
    {"LimitsBeyondTheEnd", [](Plan*) {},
     [](Plan* plan) {
       plan->max_simulated_time = kNever - 1;
       plan->max_events = 1'000'000'000;
     }},
    {"LoggedIterations", [](Plan*) {},
     ForWorkers([](WorkerPlan* worker) { worker->breakpoints.push_back({.after = "iteration"}); })},
};

// A tier that stays empty shows as zeros.
Results WithoutEmptyTiers(Results results) {
  for (WorkerTimeline& timeline : results.timelines) {
    const auto& stored = timeline.stored;
    const bool empty = std::all_of(stored.begin(), stored.end(), [](double s) { return s == 0; });
    if (empty) timeline.stored.clear();
  }
  const auto& bytes = results.pool.bytes;
  const bool empty = std::all_of(bytes.begin(), bytes.end(), [](double b) { return b == 0; });
  if (empty) results.pool.bytes.clear();
  return results;
}

class FeatureTest : public testing::TestWithParam<Feature> {};

TEST_P(FeatureTest, ChangesNothingWhereItCannotMatter) {
  for (uint64_t seed = 1; seed <= Seeds(200); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto without = RandomCluster(seed);
    GetParam().without(without.get());
    const auto with = std::make_shared<Plan>(*without);
    GetParam().with(with.get());
    EXPECT_TRUE(
        SameResults(WithoutEmptyTiers(RunEngine(without)), WithoutEmptyTiers(RunEngine(with))));
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(All, FeatureTest, testing::ValuesIn(kFeatures),
                         [](const auto& tested) { return tested.param.name; });

// A worker that never serves is as good as none.
TEST(Features, AStoppedWorkerChangesNothing) {
  for (uint64_t seed = 1; seed <= Seeds(200); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto without = RandomCluster(seed);
    RoundRobin(without.get());
    without->worker_events.clear();
    const auto with = std::make_shared<Plan>(*without);
    with->workers.push_back(with->workers[0]);
    with->workers.back().role = Role::kPrefill;  // decoders are measured while they are stopped
    with->workers.back().serving = false;
    with->workers.back().lockstep_first = -1;
    EXPECT_TRUE(SameRecords(RunEngine(without).records, RunEngine(with).records));
    if (HasFailure()) return;
  }
}

// Of the observer's own figures.
TEST(Features, SnapshotsAndTimelinesChangeNoRecord) {
  for (uint64_t seed = 1; seed <= Seeds(200); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomCluster(seed);
    const auto other = std::make_shared<Plan>(*plan);
    other->snapshot_interval = plan->snapshot_interval == 0 ? 3'000'000 : 0;
    other->timeline_points = 7;
    EventLog log;
    EXPECT_TRUE(SameRecords(RunEngine(plan).records, RunEngine(other, &log).records));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace tokensim
