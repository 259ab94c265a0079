// The least time an iteration can take: that of reading weights and KV cache from memory once.
#include <algorithm>

#include "engine/compute/backend.h"

namespace tokensim {
namespace {

class Bandwidth final : public ComputeModel {
 public:
  Bandwidth(const BackendContext& context, double efficiency)
      : weights_(static_cast<double>(WeightBytesPerDevice(context.model, context.split))),
        token_(static_cast<double>(KvBytesPerTokenPerDevice(context.model, context.split))),
        bytes_per_second_(context.device.memory_bandwidth_bytes_per_second * efficiency) {}

  [[nodiscard]] double IterationSeconds(const IterationShape& shape) const override {
    int64_t tokens = shape.decode_context;
    for (const PrefillChunk& chunk : shape.prefill) tokens += chunk.history + chunk.new_tokens;
    const double bytes = weights_ + token_ * static_cast<double>(tokens);
    return std::max(bytes / bytes_per_second_, 1e-9);
  }

 private:
  const double weights_;
  const double token_;
  const double bytes_per_second_;
};

constexpr char kEfficiency[] = "efficiency";
constexpr Parameter kParameters[] = {RealParameter(kEfficiency, 1, {.above = 0, .max = 1},
                                                   "share of the bandwidth that is reached")};

}  // namespace

extern constinit const BackendEntry kBandwidthBackend = {
    {.name = "bandwidth",
     .description = "weights and KV cache over the memory bandwidth: a lower bound",
     .parameters = kParameters},
    {},
    [](const ParameterValues& values) -> BackendFactory::Maker {
      return [efficiency = values.real(kEfficiency)](const BackendContext& context) {
        return std::make_unique<const Bandwidth>(context, efficiency);
      };
    }};

}  // namespace tokensim
