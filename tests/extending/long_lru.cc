// Least recently used, for long conversations only: a short one is cheap to compute again.
#include "engine/memory/eviction.h"

namespace tokensim {
namespace {

class LongLru final : public Eviction {
 public:
  explicit LongLru(int64_t long_tokens) : long_tokens_(long_tokens) {}

  [[nodiscard]] EvictionMove OnUse(const StoredEntry& entry) override {
    return entry.tokens >= long_tokens_ ? EvictionMove::kToBack : EvictionMove::kStay;
  }

 private:
  const int64_t long_tokens_;
};

constexpr char kLongTokens[] = "long_tokens";
constexpr Parameter kParameters[] = {IntegerParameter(
    kLongTokens, 1'000, {.min = 1, .max = 1e9}, "of a conversation that use keeps", "tokens")};

}  // namespace

extern constinit const EvictionEntry kLongLruEviction = {
    {.name = "long_lru",
     .description = "as lru, but that it is used keeps no short conversation",
     .parameters = kParameters},
    {},
    [](const ParameterValues& values) -> EvictionFactory::Maker {
      return [tokens = values.integer(kLongTokens)](const EvictionContext&) {
        return std::make_unique<LongLru>(tokens);
      };
    }};

}  // namespace tokensim
