// Equal gaps, the first request at 0.
#include "engine/workload/arrivals/rate.h"

namespace tokensim {
namespace {

class Constant final : public NextByNext<Constant> {
 public:
  explicit Constant(double rate) : rate_(rate) {}

  // index / rate, not a sum of rounded gaps: no drift.
  SimTime Next() { return FromSeconds(static_cast<double>(index_++) / rate_); }
  [[nodiscard]] double ExpectedWithin(double seconds) const override { return rate_ * seconds; }

 private:
  double rate_;
  int64_t index_ = 0;
};

constexpr Parameter kParameters[] = {kRateParameter};

}  // namespace

extern constinit const ArrivalEntry kConstantArrivals = {
    {.name = "constant",
     .description = "equal gaps of 1/rate, the first request at 0",
     .parameters = kParameters},
    {.check = CheckRate},
    [](const ParameterValues& values) -> ArrivalFactory::Maker {
      return [rate = values.real(kRate)](const ArrivalContext&) {
        return std::make_unique<Constant>(rate);
      };
    }};

}  // namespace tokensim
