// Layers that do not all keep every token, for random clusters.
#include <algorithm>
#include <memory>
#include <vector>

#include "engine/memory/block_shape.h"
#include "tests/property/draws.h"
#include "tests/property/random_cluster.h"
#include "tests/property/random_plan.h"

namespace tokensim {
namespace {

BlockGroup RandomGroup(Draws& draws) {
  BlockGroup group{
      .count = draws.OneIn(3) ? draws.Between32(2, 4) : 1,
      .block_size = draws.OneIn(2) ? 1 << draws.Between(0, 4) : draws.Between32(1, 20)};
  const int64_t kind = draws.Between(0, 5);
  if (kind == 0) {
    group.state_blocks = draws.Between32(1, 2);
    group.state_bytes = draws.Between(1, 50'000);
    return group;
  }
  group.token_bytes = draws.Between(1, 2'000);
  if (kind == 1) return group;
  group.chunked = kind == 2;
  group.window = group.chunked    ? group.block_size * draws.Between32(1, 6)
                 : draws.OneIn(3) ? draws.Between32(2, 6)
                                  : draws.Between32(2, 90);
  return group;
}

BlockLayoutConfig RandomLayout(Draws& draws) {
  BlockLayoutConfig config{.block_bytes = draws.Between(1, 20'000)};
  const auto keeps = [](const BlockGroup& group) { return !group.chunked; };
  const int64_t groups = draws.Between(1, 4);
  while (static_cast<int64_t>(config.groups.size()) < groups ||
         std::none_of(config.groups.begin(), config.groups.end(), keeps)) {
    config.groups.push_back(RandomGroup(draws));
    if (draws.OneIn(4)) {  // the same window in blocks of another size
      BlockGroup again = config.groups.back();
      if (!again.chunked) again.block_size = draws.Between32(1, 20);
      config.groups.push_back(again);
    }
  }
  return config;
}

// Groups whose blocks have a small common size, without states.
BlockLayoutConfig RandomCachedLayout(Draws& draws) {
  BlockLayoutConfig config{.block_bytes = draws.Between(1, 20'000)};
  const int32_t size = draws.OneIn(2) ? 1 << draws.Between(0, 3) : draws.Between32(1, 6);
  const auto keeps = [](const BlockGroup& group) { return !group.chunked; };
  const int64_t groups = draws.Between(1, 3);
  while (static_cast<int64_t>(config.groups.size()) < groups ||
         std::none_of(config.groups.begin(), config.groups.end(), keeps)) {
    BlockGroup group{.count = draws.OneIn(3) ? 2 : 1,
                     .block_size = size * draws.Between32(1, 2),
                     .token_bytes = draws.Between(1, 2'000)};
    const int64_t kind = draws.Between(0, 4);
    if (kind == 1) {
      group.chunked = true;
      group.window = group.block_size * draws.Between32(1, 6);
    } else if (kind > 1) {
      group.window = draws.OneIn(3) ? draws.Between32(2, 6) : draws.Between32(2, 60);
    }
    config.groups.push_back(group);
  }
  return config;
}

// It asks for windows that the layout has, and for others.
std::shared_ptr<const ComputeModel> RandomProbe(Draws& draws, const BlockLayoutConfig& layout) {
  std::vector<AttentionWindow> windows;
  const auto add = [&](const AttentionWindow& window) {
    if (window.tokens == 0 || draws.OneIn(4)) return;
    if (std::find(windows.begin(), windows.end(), window) == windows.end()) {
      windows.push_back(window);
    }
  };
  add({draws.Between32(1, 100), draws.OneIn(2)});
  for (const BlockGroup& group : layout.groups) add({group.window, group.chunked});
  return std::make_shared<ProbeModel>(windows);
}

void AddLayout(BlockLayoutConfig config, Draws& draws, WorkerPlan* worker) {
  const LocalSchedulerConfig& scheduler = worker->scheduler;
  if (scheduler.policy->traits().splits_prompts) {
    config.largest_chunk = int64_t{scheduler.max_num_batched_tokens} * scheduler.async_depth;
  }
  if (!draws.OneIn(4)) worker->compute = RandomProbe(draws, config);
  worker->layout = std::make_shared<const BlockLayout>(config);
  // Room for as many of the longest requests as before.
  const double times = static_cast<double>(worker->kv_blocks * worker->block_size) /
                       static_cast<double>(worker->max_model_len);
  const auto longest = static_cast<double>(worker->layout->ToReach(0, worker->max_model_len));
  worker->kv_blocks = std::max<int64_t>(1, static_cast<int64_t>(times * longest));
  if (worker->host_blocks > 0) worker->host_blocks = draws.Between(1, worker->kv_blocks);
}

}  // namespace

void AddLayouts(uint64_t seed, Plan* plan) {
  const bool alike = Draws(seed, "layouts").OneIn(2);
  for (size_t i = 0; i < plan->workers.size(); ++i) {
    Draws draws(alike ? seed : seed * 1000 + i, "layout");
    if (!alike && draws.OneIn(6)) continue;
    plan->workers[i].prefix_caching = false;
    AddLayout(RandomLayout(draws), draws, &plan->workers[i]);
  }
}

void AddCachedLayouts(uint64_t seed, Plan* plan) {
  const bool alike = Draws(seed, "cached layouts").OneIn(2);
  for (size_t i = 0; i < plan->workers.size(); ++i) {
    Draws draws(alike ? seed : seed * 1000 + i, "cached layout");
    WorkerPlan& worker = plan->workers[i];
    worker.prefix_caching = !draws.OneIn(8);
    worker.reuses_unfindable_first = draws.OneIn(2);
    worker.scheduler.loading_takes_slot = draws.OneIn(2);
    if (draws.OneIn(6)) continue;
    const BlockLayoutConfig config = RandomCachedLayout(draws);
    AddLayout(config, draws, &worker);
    worker.block_size = static_cast<int32_t>(CommonBlockSize(config));
  }
}

std::shared_ptr<Plan> RandomLayoutCluster(uint64_t seed) {
  auto plan = seed % 4 == 0 ? RandomWaitingCluster(seed) : RandomCluster(seed);
  AddLayouts(seed, plan.get());
  return plan;
}

std::shared_ptr<Plan> RandomCachedLayoutCluster(uint64_t seed) {
  auto plan = seed % 4 == 0 ? RandomWaitingCluster(seed) : RandomCluster(seed);
  AddCachedLayouts(seed, plan.get());
  return plan;
}

}  // namespace tokensim
