// What the random clusters draw and what then happens: a generator that lost a feature would prove
// nothing about it.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "engine/cluster/cluster.h"
#include "engine/network/sharing_registry.h"
#include "engine/policy/defaults.h"
#include "engine/policy/global/registry.h"
#include "engine/policy/local/registry.h"
#include "engine/policy/order/registry.h"
#include "tests/property/random_cluster.h"
#include "tests/property/run_engine.h"

namespace tokensim {
namespace {

using Counts = std::map<std::string, int64_t>;

std::string Name(const char* what, int value) { return what + (" " + std::to_string(value)); }
std::string Name(const char* what, std::string_view value) {
  return what + (" " + std::string(value));
}

bool Limited(const LinkConfig& link) { return link.bandwidth_bytes_per_second > 0; }

void CountNetwork(const Plan& plan, Counts* counts) {
  const NetworkConfig& network = plan.network;
  const bool moves =
      std::any_of(plan.workers.begin(), plan.workers.end(),
                  [](const WorkerPlan& worker) { return worker.role != Role::kBoth; });
  if (moves && Limited(network.intra_node) && Limited(network.inter_node)) {
    ++(*counts)[Name("limited links, sharing", network.sharing->name())];
    ++(*counts)[Name("limited links, mode", static_cast<int>(network.mode))];
  }
  const auto& pool = plan.memory_pool;
  (*counts)["pool with a limited link"] += pool && pool->link && Limited(*pool->link);
}

void CountWorkers(const Plan& plan, Counts* counts) {
  for (const WorkerPlan& worker : plan.workers) {
    const LocalSchedulerConfig& scheduler = worker.scheduler;
    ++(*counts)[Name("local policy", scheduler.policy->name())];
    ++(*counts)[Name("queue order", scheduler.queue_order->name())];
    ++(*counts)[Name("role", static_cast<int>(worker.role))];
    (*counts)["formed ahead"] += scheduler.async_depth > 1;
    (*counts)["watermark"] += scheduler.watermark > 0;
    (*counts)["max_memory_ratio"] += scheduler.max_memory_ratio < 1;
    (*counts)["swaps"] += worker.host_blocks > 0 && !worker.overlap_swap;
    (*counts)["overlapped swaps"] += worker.host_blocks > 0 && worker.overlap_swap;
    (*counts)["prefix cache"] += worker.prefix_caching;
    (*counts)["dropped caches"] += worker.drops_cache;
    (*counts)["warm-up"] += worker.warm_up_seconds > 0;
  }
}

void CountLockstep(const Plan& plan, Counts* counts) {
  const auto in_lockstep = [](const WorkerPlan& worker) { return worker.lockstep_first >= 0; };
  const auto ranks = std::find_if(plan.workers.begin(), plan.workers.end(), in_lockstep);
  if (ranks == plan.workers.end()) return;
  ++(*counts)["lock-step"];
  (*counts)["lock-step alone"] += in_lockstep(plan.workers[0]);
  (*counts)["lock-step beside faults"] += !plan.worker_events.empty();
  (*counts)["lock-step, formed ahead"] += ranks->scheduler.async_depth > 1;
  (*counts)["lock-step, migration"] += plan.migrate_on_pressure;
  (*counts)["lock-step, warm-up"] += ranks->warm_up_seconds > 0;
}

// Whether a worker may fail while it starts again.
bool OvertakesAStart(const Plan& plan) {
  for (const WorkerEvent& recovery : plan.worker_events) {
    if (recovery.action != WorkerAction::kRecover) continue;
    for (const WorkerEvent& failure : plan.worker_events) {
      if (failure.action == WorkerAction::kFail && failure.worker == recovery.worker &&
          failure.time > recovery.time && failure.time < recovery.time + recovery.delay) {
        return true;
      }
    }
  }
  return false;
}

void CountPlan(const Plan& plan, Counts* counts) {
  ++(*counts)[Name("global policy", plan.global_scheduler->name())];
  ++(*counts)[Name("transfer policy", plan.transfer_scheduler->name())];
  if (plan.signal_delay > 0) {
    ++(*counts)[Name("stale, global policy", plan.global_scheduler->name())];
  }
  for (const WorkerEvent& event : plan.worker_events) {
    ++(*counts)[Name("worker event", static_cast<int>(event.action))];
  }
  CountLockstep(plan, counts);
  (*counts)["overtaken starts"] += OvertakesAStart(plan);
  (*counts)["migration"] += plan.migrate_on_pressure;
  (*counts)["intra-node first"] += plan.intra_node_first;
  (*counts)["memory pool"] += plan.memory_pool.has_value();
  (*counts)["conversations"] += plan.workload.conversations.has_value();
  (*counts)["prefix groups"] += plan.workload.prefix_groups.has_value();
  (*counts)["hash ids"] += !plan.workload.trace->hash_ids.empty();
  (*counts)["classes"] += plan.classes.size() > 1;
  (*counts)["closed loop"] += plan.workload.users() > 0;
  CountNetwork(plan, counts);
  CountWorkers(plan, counts);
}

// Whether all workers that decode are down at some moment with requests in the system.
bool LosesAllDecoders(const std::shared_ptr<Plan>& plan) {
  bool lost = false;
  const Results results =
      RunEngineByEvents(plan, nullptr, [&lost, &plan](const Simulation& simulation) {
        const Cluster& cluster = simulation.cluster();
        bool any = cluster.live() == 0;
        for (size_t i = 0; i < cluster.size(); ++i) {
          any = any || (plan->workers[i].role != Role::kPrefill &&
                        cluster.status(i) != WorkerStatus::kFailed);
        }
        lost = lost || !any;
      });
  EXPECT_EQ(results.end_reason, EndReason::kCompleted);
  return lost;
}

TEST(Coverage, RandomClustersDrawEveryFeature) {
  Counts counts;
  constexpr int64_t kSeeds = 1000;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const auto plan = RandomCluster(seed);
    CountPlan(*WithDefaultPolicies(plan), &counts);
    if (!plan->worker_events.empty()) counts["no decoder left"] += LosesAllDecoders(plan);
  }
  const auto expect = [&counts](const char* what, int values, int64_t least) {
    for (int i = 0; i < values; ++i) EXPECT_GE(counts[Name(what, i)], least) << Name(what, i);
  };
  const auto expect_all = [&counts](const char* what, const auto& registry, int64_t least) {
    for (const PolicyInfo* policy : registry.infos()) {
      EXPECT_GE(counts[Name(what, policy->name)], least) << Name(what, policy->name);
    }
  };
  expect_all("limited links, sharing", SharingRules(), kSeeds / 10);
  expect("limited links, mode", 3, kSeeds / 20);
  expect_all("local policy", LocalSchedulers(), kSeeds / 5);
  expect_all("queue order", QueueOrders(), kSeeds / 10);
  expect("role", 3, kSeeds / 5);
  expect_all("global policy", GlobalSchedulers(), kSeeds / 25);
  expect_all("stale, global policy", GlobalSchedulers(), kSeeds / 100);
  expect("worker event", 4, kSeeds / 10);
  for (const char* what :
       {"formed ahead", "watermark", "max_memory_ratio", "swaps", "overlapped swaps",
        "prefix cache", "dropped caches", "migration", "intra-node first", "memory pool",
        "conversations", "prefix groups", "hash ids", "classes", "closed loop",
        "pool with a limited link", "lock-step", "warm-up"}) {
    EXPECT_GE(counts[what], kSeeds / 20) << what;
  }
  for (const char* what : {"lock-step alone", "lock-step beside faults", "lock-step, formed ahead",
                           "lock-step, migration", "lock-step, warm-up", "overtaken starts"}) {
    EXPECT_GE(counts[what], kSeeds / 100) << what;
  }
  EXPECT_GE(counts["no decoder left"], kSeeds / 25);
}

}  // namespace
}  // namespace tokensim
