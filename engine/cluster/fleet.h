// Which workers serve: what failures, recoveries and scaling make of them.
//
//   serving ──scale down──▶ draining ──idle──▶ stopped ──scale up──▶ starting ──delay──▶ serving
//   any but stopped ──fail──▶ failed ──recover──▶ starting
//
// A fleet decides which workers an event concerns and remembers what they are; whoever owns the
// workers makes them do it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/time.h"
#include "engine/run/observer.h"
#include "engine/run/plan.h"

namespace tokensim {

class Fleet {
 public:
  // `observer` is told of changes; it outlives the fleet and may be null.
  Fleet(const std::vector<WorkerPlan>& workers, Observer* observer);

  // The workers that an event of the plan changes as they are now, in the order in which it does.
  [[nodiscard]] std::vector<int32_t> Concerned(const WorkerEvent& event) const;
  void SetStatus(int32_t worker, WorkerStatus status, SimTime now);

  [[nodiscard]] WorkerStatus status(int32_t worker) const {
    return members_[static_cast<size_t>(worker)].status;
  }
  [[nodiscard]] bool serves(int32_t worker) const {
    return status(worker) == WorkerStatus::kServing;
  }
  [[nodiscard]] int32_t size() const { return static_cast<int32_t>(members_.size()); }
  // How long the worker was failed, stopped or not yet started until `now`.
  [[nodiscard]] SimTime Unavailable(int32_t worker, SimTime now) const;

 private:
  struct Member {
    WorkerStatus status = WorkerStatus::kServing;
    SimTime unavailable_since = kUnset;
    SimTime unavailable = 0;  // before
  };

  std::vector<Member> members_;
  Observer* const observer_;
};

}  // namespace tokensim
