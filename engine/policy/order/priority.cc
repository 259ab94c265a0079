// By the priority of the client class, as vLLM's policy "priority"; preemptions take the lowest.
#include "engine/worker/queue_order.h"

namespace tokensim {
namespace {

class Priority final : public QueueOrder {
 public:
  [[nodiscard]] int64_t Key(const QueuedRequest& request) const override {
    return request.priority;
  }
};

}  // namespace

extern constinit const QueueOrderEntry kPriorityOrder = {
    {.name = "priority", .description = "class priority, then first come, first served"},
    {.queue = QueueKind::kKeyed, .default_victim = "lowest_priority"},
    [](const ParameterValues& /*values*/) -> QueueOrderFactory::Maker {
      return [](const QueueOrderContext&) { return std::make_unique<Priority>(); };
    }};

}  // namespace tokensim
