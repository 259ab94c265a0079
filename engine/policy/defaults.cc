#include "engine/policy/defaults.h"

#include <algorithm>

#include "engine/policy/evict/registry.h"
#include "engine/policy/global/registry.h"
#include "engine/policy/local/registry.h"
#include "engine/policy/order/registry.h"
#include "engine/policy/victim/registry.h"

namespace tokensim {
namespace {

bool Complete(const LocalSchedulerConfig& s) {
  return s.policy != nullptr && s.queue_order != nullptr && s.victim != nullptr;
}

bool Complete(const Plan& plan) {
  return plan.global_scheduler != nullptr && plan.transfer_scheduler != nullptr &&
         (!plan.memory_pool || plan.memory_pool->eviction != nullptr) &&
         std::all_of(plan.workers.begin(), plan.workers.end(),
                     [](const WorkerPlan& worker) { return Complete(worker.scheduler); });
}

}  // namespace

void AddDefaultPolicies(LocalSchedulerConfig* s) {
  if (s->policy == nullptr) s->policy = LocalSchedulers().Make(kDefaultLocalScheduler);
  if (s->queue_order == nullptr) s->queue_order = QueueOrders().Make(kDefaultQueueOrder);
  if (s->victim == nullptr) s->victim = Victims().Make(DefaultVictim(s->queue_order->traits()));
}

std::shared_ptr<const Plan> WithDefaultPolicies(std::shared_ptr<const Plan> plan) {
  if (Complete(*plan)) return plan;
  auto complete = std::make_shared<Plan>(*plan);
  if (complete->global_scheduler == nullptr) {
    complete->global_scheduler = GlobalSchedulers().Make(kDefaultGlobalScheduler);
  }
  if (complete->transfer_scheduler == nullptr) {
    complete->transfer_scheduler = GlobalSchedulers().Make(kDefaultTransferScheduler);
  }
  if (complete->memory_pool && complete->memory_pool->eviction == nullptr) {
    complete->memory_pool->eviction = Evictions().Make(kDefaultEviction);
  }
  for (WorkerPlan& worker : complete->workers) AddDefaultPolicies(&worker.scheduler);
  return complete;
}

}  // namespace tokensim
