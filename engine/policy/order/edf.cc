// The earliest deadline of a first token goes first: arrival + the TTFT objective of its class.
#include "engine/worker/queue_order.h"

namespace tokensim {
namespace {

class Edf final : public QueueOrder {
 public:
  [[nodiscard]] int64_t Key(const QueuedRequest& request) const override {
    return request.deadline;
  }
};

}  // namespace

extern constinit const QueueOrderEntry kEdfOrder = {
    {.name = "edf", .description = "earliest TTFT deadline first"},
    {.queue = QueueKind::kKeyed},
    [](const ParameterValues& /*values*/) -> QueueOrderFactory::Maker {
      return [](const QueueOrderContext&) { return std::make_unique<Edf>(); };
    }};

}  // namespace tokensim
