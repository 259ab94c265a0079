// Long prompts go to the last worker, all others to the one of the rest with the fewest requests.
#include "engine/policy/global/candidates.h"
#include "engine/policy/global/global_scheduler.h"

namespace tokensim {
namespace {

class LongApart final : public GlobalScheduler {
 public:
  explicit LongApart(int64_t long_tokens) : long_tokens_(long_tokens) {}

  int32_t Dispatch(const DispatchView& view) override {
    const auto others = view.candidates.first(view.candidates.size() - 1);
    if (others.empty() || view.input_tokens >= long_tokens_) return view.candidates.back();
    return LeastCandidate(view.signals.outstanding,
                          {.signals = view.signals, .candidates = others});
  }

 private:
  const int64_t long_tokens_;
};

constexpr char kLongTokens[] = "long_tokens";
constexpr Parameter kParameters[] = {IntegerParameter(kLongTokens, 8'192, {.min = 1, .max = 1e9},
                                                      "what makes a prompt a long one", "tokens")};

}  // namespace

extern constinit const GlobalSchedulerEntry kLongApartRouter = {
    {.name = "long_apart",
     .description = "long prompts to the last worker, others to the least loaded of the rest",
     .parameters = kParameters},
    {},
    [](const ParameterValues& values) -> GlobalSchedulerFactory::Maker {
      return [tokens = values.integer(kLongTokens)](const GlobalSchedulerContext&) {
        return std::make_unique<LongApart>(tokens);
      };
    }};

}  // namespace tokensim
