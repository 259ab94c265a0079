#include "engine/compute/affine.h"

#include <algorithm>

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

}  // namespace

std::unique_ptr<const ComputeModel> MakeAffineModel(const AffineCosts& costs) {
  return std::make_unique<AffineModel>(costs);
}

}  // namespace tokensim
