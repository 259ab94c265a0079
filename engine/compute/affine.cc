#include "engine/compute/affine.h"

#include <algorithm>

#include "engine/compute/backend.h"

namespace tokensim {
namespace {

class AffineModel final : public ComputeModel {
 public:
  explicit AffineModel(const AffineCosts& costs) : costs_(costs) {}

  double IterationSeconds(const IterationShape& shape) const override {
    const double decodes = static_cast<double>(int64_t{shape.decode_count} + shape.padding_count);
    const double seconds =
        costs_.iteration_seconds +
        costs_.prefill_token_seconds * static_cast<double>(shape.prefill_tokens) +
        costs_.decode_token_seconds * decodes +
        costs_.context_token_seconds * static_cast<double>(shape.decode_context);
    return std::max(seconds, 1e-9);
  }

 private:
  AffineCosts costs_;
};

constexpr ParameterRange kPerToken = {.min = 0, .max = 1};
constexpr Parameter kParameters[] = {
    RealParameter("iteration_seconds", 0, {.min = 0, .max = 1e6}, "of any iteration", "seconds"),
    RealParameter("prefill_token_seconds", 0, kPerToken, "of each prompt token", "seconds"),
    RealParameter("decode_token_seconds", 0, kPerToken, "of each decode", "seconds"),
    RealParameter("context_token_seconds", 0, kPerToken, "of each token that decodes attend to",
                  "seconds")};

AffineCosts CostsOf(const ParameterValues& values) {
  return {.iteration_seconds = values.real("iteration_seconds"),
          .prefill_token_seconds = values.real("prefill_token_seconds"),
          .decode_token_seconds = values.real("decode_token_seconds"),
          .context_token_seconds = values.real("context_token_seconds")};
}

std::optional<ParameterProblem> CheckCosts(const ParameterValues& values) {
  const AffineCosts c = CostsOf(values);
  if (c.iteration_seconds + c.prefill_token_seconds + c.decode_token_seconds +
          c.context_token_seconds >
      0) {
    return std::nullopt;
  }
  return ParameterProblem{"", "every cost is 0; at least one must be above 0"};
}

}  // namespace

std::unique_ptr<const ComputeModel> MakeAffineModel(const AffineCosts& costs) {
  return std::make_unique<AffineModel>(costs);
}

extern constinit const BackendEntry kAffineBackend = {
    {.name = "affine",
     .description = "iteration + prefill tokens + decode tokens + context, each at a given cost",
     .parameters = kParameters},
    {.prices_operators = false},
    [](const ParameterValues& values) -> BackendFactory::Maker {
      return [costs = CostsOf(values)](const BackendContext&) { return MakeAffineModel(costs); };
    },
    CheckCosts};

}  // namespace tokensim
