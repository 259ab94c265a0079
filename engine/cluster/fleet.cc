#include "engine/cluster/fleet.h"

namespace tokensim {

Fleet::Fleet(const std::vector<WorkerPlan>& workers, Observer* observer)
    : members_(workers.size()), observer_(observer) {
  for (size_t i = 0; i < workers.size(); ++i) {
    if (workers[i].serving) continue;
    members_[i] = {.status = WorkerStatus::kStopped, .unavailable_since = 0};
  }
}

std::vector<int32_t> Fleet::Concerned(const WorkerEvent& event) const {
  std::vector<int32_t> concerned;
  const int32_t end = event.first_worker + event.group_size;
  const auto full = [&] { return static_cast<int32_t>(concerned.size()) >= event.count; };
  switch (event.action) {
    case WorkerAction::kFail:
      if (status(event.worker) != WorkerStatus::kFailed &&
          status(event.worker) != WorkerStatus::kStopped) {
        concerned.push_back(event.worker);
      }
      break;
    case WorkerAction::kRecover:
      if (status(event.worker) == WorkerStatus::kFailed) concerned.push_back(event.worker);
      break;
    case WorkerAction::kScaleUp:
      for (int32_t i = event.first_worker; i < end && !full(); ++i) {
        if (status(i) == WorkerStatus::kStopped) concerned.push_back(i);
      }
      break;
    case WorkerAction::kScaleDown:
      for (int32_t i = end - 1; i >= event.first_worker && !full(); --i) {
        if (status(i) == WorkerStatus::kServing) concerned.push_back(i);
      }
      break;
  }
  return concerned;
}

void Fleet::SetStatus(int32_t worker, WorkerStatus status, SimTime now) {
  Member& member = members_[static_cast<size_t>(worker)];
  const auto available = [](WorkerStatus s) {
    return s == WorkerStatus::kServing || s == WorkerStatus::kDraining;
  };
  if (available(member.status) && !available(status)) member.unavailable_since = now;
  if (!available(member.status) && available(status)) {
    member.unavailable += now - member.unavailable_since;
    member.unavailable_since = kUnset;
  }
  member.status = status;
  if (observer_ != nullptr) observer_->OnEvent(now, WorkerChangedEvent{worker, status});
}

SimTime Fleet::Unavailable(int32_t worker, SimTime now) const {
  const Member& member = members_[static_cast<size_t>(worker)];
  if (member.unavailable_since == kUnset) return member.unavailable;
  return member.unavailable + (now - member.unavailable_since);
}

}  // namespace tokensim
