// The shortest prompt first. With oracle_output_length the output counts, too, as if its length were
// known: a bound on what any prediction of it can bring.
#include "engine/worker/queue_order.h"

namespace tokensim {
namespace {

class Sjf final : public QueueOrder {
 public:
  explicit Sjf(bool oracle) : oracle_(oracle) {}
  [[nodiscard]] int64_t Key(const QueuedRequest& request) const override {
    return request.tokens + (oracle_ ? request.output_tokens : 0);
  }

 private:
  const bool oracle_;
};

constexpr char kOracle[] = "oracle_output_length";
constexpr Parameter kParameters[] = {FlagParameter(
    kOracle, false, "order by the true output length, too, which no real scheduler knows")};

}  // namespace

extern constinit const QueueOrderEntry kSjfOrder = {
    {.name = "sjf", .description = "shortest prompt first", .parameters = kParameters},
    {.queue = QueueKind::kKeyed},
    [](const ParameterValues& values) -> QueueOrderFactory::Maker {
      return [oracle = values.flag(kOracle)](const QueueOrderContext&) {
        return std::make_unique<Sjf>(oracle);
      };
    }};

}  // namespace tokensim
