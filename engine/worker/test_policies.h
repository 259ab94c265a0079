// The plainest policies, for tests of the types of a worker.
#pragma once

#include <memory>

#include "engine/worker/queue_order.h"
#include "engine/worker/victim.h"

namespace tokensim {

// By arrival, by deadline (kKeyed), or by class.
inline QueueOrderFactory TestOrder(QueueKind kind) {
  class ByDeadline final : public QueueOrder {
   public:
    [[nodiscard]] int64_t Key(const QueuedRequest& request) const override {
      return request.deadline;
    }
  };
  return {"test", {.queue = kind}, [](const QueueOrderContext&) {
            return std::make_unique<ByDeadline>();
          }};
}

// The one admitted last or, if it looks at all, the one with the most tokens.
inline VictimFactory TestVictim(bool looks_at_all) {
  class MostGenerated final : public VictimPolicy {
   public:
    [[nodiscard]] bool IsWorse(const RunningRequest& request,
                               const RunningRequest& victim) const override {
      return request.generated > victim.generated;
    }
  };
  return {"test", {.looks_at_all = looks_at_all}, [](const VictimContext&) {
            return std::make_unique<MostGenerated>();
          }};
}

}  // namespace tokensim
