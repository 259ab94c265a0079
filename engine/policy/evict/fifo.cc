// First in, first out: what is found stays where it is.
#include "engine/memory/eviction.h"

namespace tokensim {
namespace {

class Fifo final : public Eviction {
 public:
  [[nodiscard]] EvictionMove OnUse(const StoredEntry& /*entry*/) override {
    return EvictionMove::kStay;
  }
};

}  // namespace

extern constinit const EvictionEntry kFifoEviction = {
    {.name = "fifo", .description = "the conversation that was put longest ago"},
    {},
    [](const ParameterValues& /*values*/) -> EvictionFactory::Maker {
      return [](const EvictionContext&) { return std::make_unique<Fifo>(); };
    }};

}  // namespace tokensim
