// Least recently used: what is found goes to the back of the queue.
#include "engine/memory/eviction.h"

namespace tokensim {
namespace {

class Lru final : public Eviction {
 public:
  [[nodiscard]] EvictionMove OnUse(const StoredEntry& /*entry*/) override {
    return EvictionMove::kToBack;
  }
};

}  // namespace

extern constinit const EvictionEntry kLruEviction = {
    {.name = "lru", .description = "the conversation that was put or found longest ago"},
    {},
    [](const ParameterValues& /*values*/) -> EvictionFactory::Maker {
      return [](const EvictionContext&) { return std::make_unique<Lru>(); };
    }};

}  // namespace tokensim
