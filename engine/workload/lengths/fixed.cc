// Always the same length.
#include "engine/workload/length_source.h"

namespace tokensim {
namespace {

class Fixed final : public LengthSampler {
 public:
  explicit Fixed(int32_t tokens) : tokens_(tokens) {}
  [[nodiscard]] int32_t Draw(RngStream& /*rng*/) const override { return tokens_; }

 private:
  int32_t tokens_;
};

constexpr char kTokens[] = "tokens";
constexpr Parameter kParameters[] = {
    IntegerParameter(kTokens, 1, {.min = 1, .max = kMaxTokens}, "the length", "tokens")};

}  // namespace

extern constinit const LengthSamplerEntry kFixedLength = {
    {.name = "fixed", .description = "always the same", .parameters = kParameters},
    {.shortest = [](const ParameterValues& values) { return values.integer(kTokens); }},
    [](const ParameterValues& values) -> LengthSamplerFactory::Maker {
      return [tokens = static_cast<int32_t>(values.integer(kTokens))](const LengthSamplerContext&) {
        return std::make_unique<Fixed>(tokens);
      };
    }};

}  // namespace tokensim
