#include "engine/compute/roofline.h"

#include <algorithm>
#include <vector>

#include "engine/base/invariant.h"
#include "engine/compute/operators.h"

namespace tokensim {
namespace {

// Bounds of the tables: 128 KiB and 8 KiB at most.
constexpr int32_t kMaxTabulatedTokens = 16384;
constexpr int32_t kMaxTabulatedOutputs = 1024;

// Arithmetic rate of a GEMM by the type of its weights. 4-bit weights are expanded to 16 bits
// before they are multiplied. 32-bit GEMMs run as TF32, at half the 16-bit rate of NVIDIA's tensor
// cores.
double GemmPeak(const TransformerConfig& model, const DeviceConfig& device) {
  if (model.weight_bytes_per_parameter == 1) return device.peak_8bit_flops;
  if (model.weight_bytes_per_parameter > 2) return device.peak_flops / 2;
  return device.peak_flops;
}

class RooflineModel final : public ComputeModel {
 public:
  RooflineModel(const TransformerConfig& model, const DeviceConfig& device, int32_t tensor_parallel,
                int32_t expected_max_tokens)
      : operators_(model, tensor_parallel),
        gemm_seconds_per_flop_(1 / (GemmPeak(model, device) * device.compute_efficiency)),
        seconds_per_flop_(1 / (device.peak_flops * device.compute_efficiency)),
        seconds_per_byte_(1 /
                          (device.memory_bandwidth_bytes_per_second * device.memory_efficiency)),
        launch_(device.kernel_launch_seconds),
        iteration_overhead_(device.iteration_overhead_seconds),
        sequence_overhead_(device.sequence_overhead_seconds) {
    if (tensor_parallel > 1) {
      const InterconnectConfig& link = device.interconnect;
      TOKENSIM_INVARIANT(link.bandwidth_bytes_per_second > 0,
                         "tensor parallelism without an interconnect");
      const double steps = tensor_parallel - 1;
      gather_seconds_per_byte_ = steps / tensor_parallel / link.bandwidth_bytes_per_second;
      gather_latency_ = steps * link.latency_seconds;
    }
    const int32_t tokens = std::clamp(expected_max_tokens, 1, kMaxTabulatedTokens);
    const int32_t outputs = std::min(tokens, kMaxTabulatedOutputs);
    std::vector<Operator> scratch;
    dense_.reserve(static_cast<size_t>(tokens) + 1);
    for (int64_t n = 0; n <= tokens; ++n) dense_.push_back(PriceDense(n, scratch));
    output_.reserve(static_cast<size_t>(outputs) + 1);
    for (int64_t n = 0; n <= outputs; ++n) output_.push_back(PriceOutput(n, scratch));
  }

  double IterationSeconds(const IterationShape& shape) const override {
    double seconds = DenseSeconds(shape.tokens()) + OutputSeconds(shape.sampled_count);
    if (shape.decode_count > 0) {
      seconds += Price(operators_.DecodeAttention(shape.decode_count, shape.decode_context));
    }
    int64_t rows = int64_t{shape.decode_count} + shape.padding_count;
    if (!shape.prefill.empty()) {
      seconds += Price(operators_.PrefillAttention(shape.prefill));
      rows += static_cast<int64_t>(shape.prefill.size());
    }
    return seconds + (iteration_overhead_ + sequence_overhead_ * static_cast<double>(rows));
  }

 private:
  double Price(const Operator& op) const { return op.repeats * (Work(op) + launch_); }

  double Work(const Operator& op) const {
    const double memory = op.bytes * seconds_per_byte_;
    switch (op.kind) {
      case OperatorKind::kGemm:
        return std::max(op.flops * gemm_seconds_per_flop_, memory);
      case OperatorKind::kAttention:
        return std::max(op.flops * seconds_per_flop_, memory);
      case OperatorKind::kMemory:
        return memory;
      case OperatorKind::kAllGather:
        return op.bytes * gather_seconds_per_byte_ + gather_latency_;
      case OperatorKind::kAllReduce:
        // A ring all-reduce is a reduce-scatter and an all-gather of equal cost.
        return 2 * (op.bytes * gather_seconds_per_byte_ + gather_latency_);
    }
    return memory;
  }

  double DenseSeconds(int64_t tokens) const {
    if (tokens < static_cast<int64_t>(dense_.size())) return dense_[static_cast<size_t>(tokens)];
    std::vector<Operator> scratch;
    return PriceDense(tokens, scratch);
  }

  double OutputSeconds(int64_t rows) const {
    if (rows < static_cast<int64_t>(output_.size())) return output_[static_cast<size_t>(rows)];
    std::vector<Operator> scratch;
    return PriceOutput(rows, scratch);
  }

  double PriceDense(int64_t tokens, std::vector<Operator>& scratch) const {
    scratch.clear();
    operators_.AppendDense(tokens, scratch);
    return PriceAll(scratch);
  }

  double PriceOutput(int64_t rows, std::vector<Operator>& scratch) const {
    scratch.clear();
    operators_.AppendOutput(rows, scratch);
    return PriceAll(scratch);
  }

  double PriceAll(const std::vector<Operator>& operators) const {
    double seconds = 0;
    for (const Operator& op : operators) seconds += Price(op);
    return seconds;
  }

  TransformerOperators operators_;
  double gemm_seconds_per_flop_;
  double seconds_per_flop_;
  double seconds_per_byte_;
  double launch_;
  double gather_seconds_per_byte_ = 0;
  double gather_latency_ = 0;
  double iteration_overhead_;
  double sequence_overhead_;
  std::vector<double> dense_;   // by rows of the batch
  std::vector<double> output_;  // by rows sampled
};

}  // namespace

std::unique_ptr<const ComputeModel> MakeRooflineModel(const TransformerConfig& model,
                                                      const DeviceConfig& device,
                                                      int32_t tensor_parallel,
                                                      int32_t expected_max_tokens) {
  return std::make_unique<RooflineModel>(model, device, tensor_parallel, expected_max_tokens);
}

}  // namespace tokensim
