#include "engine/compute/roofline.h"

#include <algorithm>
#include <vector>

#include "engine/base/invariant.h"
#include "engine/compute/operators.h"
#include "engine/network/collectives.h"

namespace tokensim {
namespace {

// Bounds of the tables: 128 KiB (512 KiB with stages) and 8 KiB at most.
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

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The seconds of a batch by where its operators belong.
struct PlaceSeconds {
  double before_layers = 0;
  double layers = 0;  // all of them
  double after_layers = 0;
  double send = 0;  // one hop
};

// A micro-batch on its way through the stages and hops of a worker, all behind each other: the
// permutation flow shop of equal jobs. The last of M jobs reaches machine k when the first has
// passed the machines before k, and M - 1 jobs the slowest of those up to k.
class FlowShop {
 public:
  explicit FlowShop(int32_t jobs) : jobs_before_(jobs - 1) {}

  // When the last job begins on the next machine, which takes `seconds`.
  double Next(double seconds) {
    slowest_ = std::max(slowest_, seconds);
    const double start = passed_ + jobs_before_ * slowest_;
    passed_ += seconds;
    return start;
  }
  [[nodiscard]] double end() const { return passed_ + jobs_before_ * slowest_; }

 private:
  double jobs_before_;
  double passed_ = 0;
  double slowest_ = 0;
};

class RooflineModel final : public ComputeModel {
 public:
  RooflineModel(const TransformerConfig& model, const DeviceConfig& device,
                const ParallelismConfig& split, int32_t expected_max_tokens)
      : operators_(model, split),
        stages_(split.pipeline),
        micro_batches_(split.micro_batches),
        layers_per_stage_(model.num_layers / split.pipeline),
        gemm_seconds_per_flop_(1 / (GemmPeak(model, device) * device.compute_efficiency)),
        seconds_per_flop_(1 / (device.peak_flops * device.compute_efficiency)),
        seconds_per_byte_(1 /
                          (device.memory_bandwidth_bytes_per_second * device.memory_efficiency)),
        launch_(device.kernel_launch_seconds),
        iteration_overhead_(device.iteration_overhead_seconds),
        sequence_overhead_(device.sequence_overhead_seconds) {
    TOKENSIM_INVARIANT(model.num_layers % split.pipeline == 0, "stages of unequal layers");
    if (split.tensor > 1 || split.pipeline > 1) {
      const double bandwidth = device.interconnect.bandwidth_bytes_per_second;
      const double latency = device.interconnect.latency_seconds;
      TOKENSIM_INVARIANT(bandwidth > 0, "several devices without an interconnect");
      all_reduce_ = RingAllReduce(split.tensor, bandwidth, latency);
      all_gather_ = RingAllGather(split.tensor, bandwidth, latency);
      all_to_all_ = AllToAll(split.expert, bandwidth, latency);
      send_ = PointToPoint(bandwidth, latency);
    }
    FillTables(std::clamp(expected_max_tokens, 1, kMaxTabulatedTokens));
  }

  double IterationSeconds(const IterationShape& shape) const override {
    if (stages_ > 1) return PipelineSeconds(shape) + HostSeconds(shape);
    double seconds = DenseSeconds(shape.tokens()) + OutputSeconds(shape.sampled_count);
    if (shape.decode_count > 0) {
      seconds += Price(operators_.DecodeAttention(shape.decode_count, shape.decode_context));
    }
    if (!shape.prefill.empty()) seconds += Price(operators_.PrefillAttention(shape.prefill));
    return seconds + HostSeconds(shape);
  }

  // With stages, of the last micro-batch: an operator is done when that has passed it.
  std::vector<OperatorTime> OperatorTimes(const IterationShape& shape) const override {
    const std::vector<Operator> operators = MicroBatchOperators(shape);
    const double host = HostSeconds(shape);
    const auto seconds_of = [&](OperatorPlace place) {
      double seconds = 0;
      for (const Operator& op : operators) {
        if (op.place == place) seconds += Work(op) + launch_;
      }
      return seconds;
    };
    std::vector<OperatorTime> times;
    const auto lay_out = [&](OperatorPlace place, int32_t layer, double start) {
      for (const Operator& op : operators) {
        if (op.place != place) continue;
        times.push_back({op.name, layer, start, Work(op) + launch_});
        start = times.back().end_seconds();
      }
      return start;
    };
    FlowShop shop(MicroBatches(shape));
    const double layer_seconds = seconds_of(OperatorPlace::kLayer);
    for (int32_t stage = 0; stage < stages_; ++stage) {
      double seconds = layers_per_stage_ * layer_seconds;
      if (stage == 0) seconds += seconds_of(OperatorPlace::kBeforeLayers);
      if (stage + 1 == stages_) seconds += seconds_of(OperatorPlace::kAfterLayers);
      double start = host + shop.Next(seconds);
      if (stage == 0) start = lay_out(OperatorPlace::kBeforeLayers, -1, start);
      for (int32_t i = 0; i < layers_per_stage_; ++i) {
        start = lay_out(OperatorPlace::kLayer, stage * layers_per_stage_ + i, start);
      }
      if (stage + 1 == stages_) {
        lay_out(OperatorPlace::kAfterLayers, -1, start);
      } else {
        const double hop = seconds_of(OperatorPlace::kBetweenStages);
        lay_out(OperatorPlace::kBetweenStages, -1, host + shop.Next(hop));
      }
    }
    return times;
  }

  std::vector<std::string> OperatorNames() const override {
    const PrefillChunk chunk{.new_tokens = 1, .history = 0};
    const IterationShape everything{.decode_count = 1,
                                    .decode_context = 1,
                                    .sampled_count = 2,
                                    .prefill_tokens = 1,
                                    .prefill = {&chunk, 1}};
    std::vector<std::string> names;
    for (const Operator& op : MicroBatchOperators(everything)) names.emplace_back(op.name);
    return names;
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
      case OperatorKind::kAllReduce:
        return all_reduce_.Seconds(op.bytes);
      case OperatorKind::kAllGather:
        return all_gather_.Seconds(op.bytes);
      case OperatorKind::kAllToAll:
        return all_to_all_.Seconds(op.bytes);
      case OperatorKind::kSend:
        return send_.Seconds(op.bytes);
    }
    return memory;
  }

  double HostSeconds(const IterationShape& shape) const {
    const int64_t sequences = int64_t{shape.decode_count} + shape.padding_count +
                              static_cast<int64_t>(shape.prefill.size());
    return iteration_overhead_ + sequence_overhead_ * static_cast<double>(sequences);
  }

  // No more than rows.
  int32_t MicroBatches(const IterationShape& shape) const {
    if (stages_ == 1) return 1;
    return static_cast<int32_t>(std::clamp<int64_t>(shape.tokens(), 1, micro_batches_));
  }

  // Attention of one of the equal micro-batches.
  static Operator Part(Operator op, int32_t micro_batches) {
    op.flops /= micro_batches;
    op.bytes /= micro_batches;
    return op;
  }

  double PipelineSeconds(const IterationShape& shape) const {
    const int32_t parts = MicroBatches(shape);
    PlaceSeconds seconds = DensePlaces(CeilDiv(shape.tokens(), parts));
    seconds.after_layers += OutputSeconds(CeilDiv(shape.sampled_count, parts));
    if (shape.decode_count > 0) {
      const Operator op = operators_.DecodeAttention(shape.decode_count, shape.decode_context);
      seconds.layers += Price(Part(op, parts));
    }
    if (!shape.prefill.empty()) {
      seconds.layers += Price(Part(operators_.PrefillAttention(shape.prefill), parts));
    }
    const double stage = seconds.layers / stages_;
    FlowShop shop(parts);
    shop.Next(seconds.before_layers + stage);
    for (int32_t i = 2; i < stages_; ++i) {
      shop.Next(seconds.send);
      shop.Next(stage);
    }
    shop.Next(seconds.send);
    shop.Next(stage + seconds.after_layers);
    return shop.end();
  }

  // One of each, by place and in the order they run.
  std::vector<Operator> MicroBatchOperators(const IterationShape& shape) const {
    const int32_t parts = MicroBatches(shape);
    std::vector<Operator> operators;
    if (shape.tokens() > 0) operators_.AppendDense(CeilDiv(shape.tokens(), parts), operators);
    operators_.AppendOutput(CeilDiv(shape.sampled_count, parts), operators);
    if (shape.decode_count > 0) {
      const Operator op = operators_.DecodeAttention(shape.decode_count, shape.decode_context);
      operators.push_back(Part(op, parts));
    }
    if (!shape.prefill.empty()) {
      operators.push_back(Part(operators_.PrefillAttention(shape.prefill), parts));
    }
    std::sort(operators.begin(), operators.end(), [](const Operator& a, const Operator& b) {
      return ExecutionRank(a.name) < ExecutionRank(b.name);
    });
    return operators;
  }

  void FillTables(int32_t tokens) {
    const int32_t outputs = std::min(tokens, kMaxTabulatedOutputs);
    std::vector<Operator> scratch;
    for (int64_t n = 0; n <= tokens; ++n) {
      if (stages_ > 1) {
        places_.push_back(PricePlaces(n, scratch));
      } else {
        dense_.push_back(PriceDense(n, scratch));
      }
    }
    for (int64_t n = 0; n <= outputs; ++n) output_.push_back(PriceOutput(n, scratch));
  }

  double DenseSeconds(int64_t tokens) const {
    if (tokens < static_cast<int64_t>(dense_.size())) return dense_[static_cast<size_t>(tokens)];
    std::vector<Operator> scratch;
    return PriceDense(tokens, scratch);
  }

  PlaceSeconds DensePlaces(int64_t tokens) const {
    if (tokens < static_cast<int64_t>(places_.size())) return places_[static_cast<size_t>(tokens)];
    std::vector<Operator> scratch;
    return PricePlaces(tokens, scratch);
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

  PlaceSeconds PricePlaces(int64_t tokens, std::vector<Operator>& scratch) const {
    scratch.clear();
    operators_.AppendDense(tokens, scratch);
    PlaceSeconds seconds;
    for (const Operator& op : scratch) {
      switch (op.place) {
        case OperatorPlace::kBeforeLayers:
          seconds.before_layers += Price(op);
          break;
        case OperatorPlace::kLayer:
          seconds.layers += Price(op);
          break;
        case OperatorPlace::kAfterLayers:
          seconds.after_layers += Price(op);
          break;
        case OperatorPlace::kBetweenStages:
          seconds.send += Work(op) + launch_;
          break;
      }
    }
    return seconds;
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
  int32_t stages_;
  int32_t micro_batches_;
  int32_t layers_per_stage_;
  double gemm_seconds_per_flop_;
  double seconds_per_flop_;
  double seconds_per_byte_;
  double launch_;
  LinearCost all_reduce_;
  LinearCost all_gather_;
  LinearCost all_to_all_;
  LinearCost send_;
  double iteration_overhead_;
  double sequence_overhead_;
  std::vector<double> dense_;         // by rows of the batch; without stages
  std::vector<PlaceSeconds> places_;  // by rows of a micro-batch; with stages
  std::vector<double> output_;        // by rows sampled
};

}  // namespace

std::unique_ptr<const ComputeModel> MakeRooflineModel(const TransformerConfig& model,
                                                      const DeviceConfig& device,
                                                      const ParallelismConfig& split,
                                                      int32_t expected_max_tokens) {
  return std::make_unique<RooflineModel>(model, device, split, expected_max_tokens);
}

}  // namespace tokensim
