#include "server/session/plan_cache.h"

#include <utility>

#include "engine/io/plan/prepare.h"
#include "server/base/error.h"

namespace tokensim {

void PlanCache::Put(const std::string& uid, std::shared_ptr<const Plan> plan) {
  std::shared_ptr<const Plan> dropped;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  std::erase_if(plans_, [](const auto& entry) { return entry.second.expired(); });
  plans_[uid] = plan;
  recent_.push_back(std::move(plan));
  if (recent_.size() > kept_) {
    dropped = std::move(recent_.front());
    recent_.pop_front();
  }
}

absl::StatusOr<std::shared_ptr<const Plan>> PlanCache::Get(const SimulationRecord& record) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = plans_.find(record.uid);
    if (found != plans_.end()) {
      if (auto plan = found->second.lock()) return plan;
    }
  }
  PreparedSpec prepared = PrepareSpec(*record.spec, TracePolicy::NoPaths());
  if (!prepared.ok()) {
    return MakeError(absl::StatusCode::kInternal, reason::kInternal,
                     "the stored spec of " + record.name.ToString() + " does not compile");
  }
  Put(record.uid, prepared.plan);
  return prepared.plan;
}

}  // namespace tokensim
