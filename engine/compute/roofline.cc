#include "engine/compute/roofline.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "engine/compute/backend.h"
#include "engine/compute/collective_costs.h"
#include "engine/hardware/peak.h"

namespace tokensim {
namespace {

class RooflinePricer final : public OperatorPricer {
 public:
  RooflinePricer(const Model& model, const DeviceConfig& device, const ParallelismConfig& split)
      : operators_(model, split),
        collectives_(device.interconnect, split),
        seconds_per_flop_(SecondsPerFlop(device, device.compute_efficiency)),
        seconds_per_byte_(1 /
                          (device.memory_bandwidth_bytes_per_second * device.memory_efficiency)),
        launch_(device.kernel_launch_seconds) {}

  double Seconds(const Operator& op) const override { return Work(op) + op.kernels * launch_; }

  AttentionSeconds Attention(const IterationShape& shape, int32_t parts) const override {
    if (!operators_.plain()) return LayeredAttention(shape, parts);
    AttentionSeconds seconds;
    if (shape.decode_count > 0) {
      seconds.decode = Seconds(
          Part(operators_.DecodeAttention(shape.decode_count, shape.decode_context), parts));
    }
    if (!shape.prefill.empty()) {
      seconds.prefill = Seconds(Part(operators_.PrefillAttention(shape.prefill), parts));
    }
    return seconds;
  }

  std::string Source(const std::string& name) const override {
    const bool moves = name.find("all_") != std::string::npos ||
                       name.find("expert_dispatch") != std::string::npos ||
                       name.find("expert_combine") != std::string::npos ||
                       name.find("_send") != std::string::npos;
    return moves ? "interconnect" : "roofline";
  }

 private:
  double Work(const Operator& op) const {
    const double memory = op.bytes * seconds_per_byte_;
    switch (op.kind) {
      case OperatorKind::kGemm:
      case OperatorKind::kAttention:
        return std::max(op.flops * seconds_per_flop_[static_cast<size_t>(op.format.number)],
                        memory);
      case OperatorKind::kMemory:
        return memory;
      default:
        return collectives_.Seconds(op);
    }
  }

  // The mean of all layers.
  AttentionSeconds LayeredAttention(const IterationShape& shape, int32_t parts) const {
    double sum = 0;  // of all layers
    const auto add = [&](const Operator& op) { sum += op.repeats * Seconds(Part(op, parts)); };
    AttentionSeconds seconds;
    if (shape.decode_count > 0) {
      operators_.VisitDecodeAttention(shape, add);
      seconds.decode = sum / operators_.layers();
    }
    if (!shape.prefill.empty()) {
      sum = 0;
      operators_.VisitPrefillAttention(shape.prefill, add);
      seconds.prefill = sum / operators_.layers();
    }
    return seconds;
  }

  // Attention of one of the equal micro-batches.
  static Operator Part(Operator op, int32_t parts) {
    if (parts == 1) return op;
    op.flops /= parts;
    op.bytes /= parts;
    return op;
  }

  TransformerOperators operators_;
  CollectiveCosts collectives_;
  std::array<double, kNumberFormats> seconds_per_flop_;  // by NumberFormat
  double seconds_per_byte_;
  double launch_;
};

}  // namespace

std::unique_ptr<const OperatorPricer> MakeRooflinePricer(const Model& model,
                                                         const DeviceConfig& device,
                                                         const ParallelismConfig& split) {
  return std::make_unique<RooflinePricer>(model, device, split);
}

std::unique_ptr<const ComputeModel> MakeRooflineModel(const Model& model,
                                                      const DeviceConfig& device,
                                                      const ParallelismConfig& split,
                                                      int32_t expected_max_tokens) {
  return MakeIterationModel({.model = model,
                             .parallelism = split,
                             .pricer = MakeRooflinePricer(model, device, split),
                             .calibration = {.iteration_seconds = device.iteration_overhead_seconds,
                                             .sequence_seconds = device.sequence_overhead_seconds},
                             .expected_max_tokens = expected_max_tokens});
}

extern constinit const BackendEntry kRooflineBackend = {
    {.name = "roofline", .description = "operators of the model against the hardware's figures"},
    {},
    [](const ParameterValues& /*values*/) -> BackendFactory::Maker {
      return [](const BackendContext& c) {
        return MakeOperatorModel(c, MakeRooflinePricer(c.model, c.device, c.split));
      };
    }};

}  // namespace tokensim
