#include "engine/compute/iteration_model.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/invariant.h"
#include "engine/compute/operators.h"
#include "engine/hardware/peak.h"

namespace tokensim {
namespace {

// Bounds of the tables: 256 KiB (1 MiB with stages) and 8 KiB at most.
constexpr int32_t kMaxTabulatedTokens = 16384;
constexpr int32_t kMaxTabulatedOutputs = 1024;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The seconds of a batch by where its operators belong.
struct PlaceSeconds {
  double before_layers = 0;
  double layers = 0;  // all of them
  double after_layers = 0;
  double send = 0;  // one hop

  [[nodiscard]] double sum() const { return before_layers + layers + after_layers; }
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

// What the peaks of a device say of operators, whoever prices them.
class DevicePhysics {
 public:
  DevicePhysics(const DeviceConfig& device, double compute_factor)
      : compute_factor_(compute_factor) {
    if (device.peak_flops <= 0 || device.memory_bandwidth_bytes_per_second <= 0) return;
    seconds_per_flop_ = SecondsPerFlop(device, /*efficiency=*/1);
    seconds_per_byte_ = 1 / device.memory_bandwidth_bytes_per_second;
  }

  // The fewest seconds that arithmetic and memory allow; 0 without peaks.
  [[nodiscard]] double Least(const Operator& op) const {
    return std::max(ComputeSeconds(op), op.bytes * seconds_per_byte_);
  }
  // The same when arithmetic takes compute_factor times as long.
  [[nodiscard]] double Stretched(const Operator& op) const {
    return std::max(ComputeSeconds(op) * compute_factor_, op.bytes * seconds_per_byte_);
  }
  // By how much the operator takes longer then. What memory bounds takes as long as before.
  [[nodiscard]] double Stretch(const Operator& op) const {
    if (compute_factor_ == 1) return 1;
    const double before = Least(op);
    return before > 0 ? Stretched(op) / before : 1;
  }
  // `calibrated` seconds, but no fewer than the peaks allow (`least`), or than the operator was
  // `priced` at, if that is fewer.
  [[nodiscard]] static double Bound(double priced, double calibrated, double least) {
    if (calibrated >= priced) return calibrated;
    return std::max({calibrated, 0.0, std::min(priced, least)});
  }

 private:
  [[nodiscard]] double ComputeSeconds(const Operator& op) const {
    return op.flops * seconds_per_flop_[static_cast<size_t>(op.format.number)];
  }

  double compute_factor_;
  std::array<double, kNumberFormats> seconds_per_flop_{};  // by NumberFormat
  double seconds_per_byte_ = 0;
};

// Which operators a batch has and what they cost. Prices by rows, without tables.
class OperatorCosts {
 public:
  explicit OperatorCosts(IterationModelConfig config)
      : operators_(config.model, config.parallelism, config.sampling),
        has_experts_(config.model.has_experts()),
        pricer_(std::move(config.pricer)),
        calibration_(std::move(config.calibration)),
        physics_(config.device, calibration_.compute_factor),
        attention_as_priced_(calibration_.attention_factor == 1 &&
                             calibration_.attention_launch_seconds == 0 &&
                             calibration_.compute_factor == 1) {}

  struct PricedOperator {
    const char* name;
    OperatorPlace place;
    int32_t repeats;
    double seconds;  // of one repeat
    bool matters;    // more than a pass over activations
  };

  // `prefill`: the iteration has prompt tokens. Without rows there is nothing to compute.
  [[nodiscard]] PlaceSeconds Dense(int64_t rows, bool prefill) const {
    if (rows == 0) return {};
    PlaceSeconds seconds = Sum([&](auto& out) { operators_.AppendDense(rows, out); }, prefill);
    seconds.layers += operators_.layers() * calibration_.layer_seconds;
    return seconds;
  }
  [[nodiscard]] double Experts(int64_t rows, bool prefill) const {
    if (rows == 0) return 0;
    return Sum([&](auto& out) { operators_.AppendExperts(rows, out); }, prefill).layers;
  }
  [[nodiscard]] double Output(int64_t rows) const {
    if (rows == 0) return 0;
    return Sum([&](auto& out) { operators_.AppendOutput(rows, out); }, false).after_layers;
  }
  // All layers.
  [[nodiscard]] double Attention(const IterationShape& shape, int32_t parts) const {
    return operators_.layers() * AttentionInLayer(shape, parts).sum();
  }

  // Rows that the dense operators are computed with.
  [[nodiscard]] int64_t Padded(int64_t rows) const {
    const std::vector<int32_t>& sizes = calibration_.capture_sizes;
    if (sizes.empty() || rows > sizes.back()) return rows;
    return *std::lower_bound(sizes.begin(), sizes.end(), rows);
  }

  // One of each operator of a micro-batch, in the order they run.
  [[nodiscard]] std::vector<PricedOperator> List(const IterationShape& shape, int32_t parts) const {
    const bool prefill = shape.prefill_tokens > 0;
    std::vector<Operator> operators;
    if (shape.tokens() > 0) {
      operators_.AppendDense(Padded(CeilDiv(shape.tokens(), parts)), operators);
      operators_.AppendExperts(CeilDiv(ExpertRows(shape), parts), operators);
    }
    operators_.AppendOutput(CeilDiv(shape.sampled_count, parts), operators);
    std::vector<PricedOperator> priced;
    for (const Operator& op : operators) AddMean(op, Seconds(op, prefill), &priced);
    const AttentionSeconds attention = AttentionInLayer(shape, parts);
    const auto add = [&](const char* name, double seconds) {
      priced.push_back({name, OperatorPlace::kLayer, operators_.layers(), seconds, true});
    };
    if (shape.decode_count > 0) add("decode_attention", attention.decode);
    if (!shape.prefill.empty()) add("prefill_attention", attention.prefill);
    std::sort(priced.begin(), priced.end(), [](const auto& a, const auto& b) {
      return ExecutionRank(a.name) < ExecutionRank(b.name);
    });
    return priced;
  }

  [[nodiscard]] int64_t ExpertRows(const IterationShape& shape) const {
    return shape.gathered_tokens > 0 ? shape.gathered_tokens : Padded(shape.tokens());
  }
  [[nodiscard]] std::vector<AttentionWindow> Windows() const { return operators_.Windows(); }
  [[nodiscard]] bool has_experts() const { return has_experts_; }
  [[nodiscard]] const CalibrationConfig& calibration() const { return calibration_; }
  [[nodiscard]] const OperatorPricer& pricer() const { return *pricer_; }

 private:
  // Of layers that differ, the mean: an operator that some have is a part of every layer.
  void AddMean(const Operator& op, double seconds, std::vector<PricedOperator>* priced) const {
    const bool some = op.place == OperatorPlace::kLayer && op.repeats != operators_.layers();
    if (some) seconds *= 1.0 * op.repeats / operators_.layers();
    for (PricedOperator& known : *priced) {
      if (std::string_view(known.name) != op.name) continue;
      known.seconds += seconds;
      return;
    }
    const bool matters = op.kind == OperatorKind::kGemm || op.kind == OperatorKind::kAllReduce;
    priced->push_back({op.name, op.place, some ? operators_.layers() : op.repeats, seconds, matters});
  }

  // What the peaks say of attention: of one layer, the mean.
  struct AttentionPeaks {
    double least = 0;      // seconds
    double stretched = 0;  // the same at sustained clocks
  };
  [[nodiscard]] auto AddTo(AttentionPeaks* peaks) const {
    return [this, peaks](const Operator& op) {
      const double share = static_cast<double>(op.repeats) / operators_.layers();
      peaks->least += share * physics_.Least(op);
      peaks->stretched += share * physics_.Stretched(op);
    };
  }
  [[nodiscard]] double CalibratedAttention(double priced, const AttentionPeaks& peaks,
                                           int32_t parts) const {
    const double stretch = peaks.least > 0 ? peaks.stretched / peaks.least : 1;
    return DevicePhysics::Bound(priced,
                                priced * calibration_.attention_factor * stretch -
                                    calibration_.attention_launch_seconds,
                                peaks.least / parts);
  }
  [[nodiscard]] AttentionSeconds AttentionInLayer(const IterationShape& shape,
                                                  int32_t parts) const {
    AttentionSeconds seconds = pricer_->Attention(shape, parts);
    if (attention_as_priced_) return seconds;
    if (shape.decode_count > 0) {
      AttentionPeaks peaks;
      operators_.VisitDecodeAttention(shape, AddTo(&peaks));
      seconds.decode = CalibratedAttention(seconds.decode, peaks, parts);
    }
    if (!shape.prefill.empty()) {
      AttentionPeaks peaks;
      operators_.VisitPrefillAttention(shape.prefill, AddTo(&peaks));
      seconds.prefill = CalibratedAttention(seconds.prefill, peaks, parts);
    }
    return seconds;
  }

  template <typename Append>
  PlaceSeconds Sum(Append append, bool prefill) const {
    std::vector<Operator> operators;
    append(operators);
    PlaceSeconds sum;
    for (const Operator& op : operators) {
      const double seconds = Seconds(op, prefill);
      switch (op.place) {
        case OperatorPlace::kBeforeLayers:
          sum.before_layers += seconds;
          break;
        case OperatorPlace::kLayer:
          sum.layers += op.repeats * seconds;
          break;
        case OperatorPlace::kAfterLayers:
          sum.after_layers += seconds;
          break;
        case OperatorPlace::kBetweenStages:
          sum.send += seconds;
          break;
      }
    }
    return sum;
  }

  double Seconds(const Operator& op, bool prefill) const {
    const CollectiveTable& all_reduce = calibration_.all_reduce;
    switch (op.kind) {
      case OperatorKind::kAllReduce:
        return calibration_.all_reduce_seconds +
               (all_reduce.empty() ? pricer_->Seconds(op) : all_reduce.Seconds(op.bytes));
      case OperatorKind::kAllGather:
        // Of the rows of a layer: half of an all-reduce, in bytes and in steps. That of the logits
        // is much larger than any all-reduce that a calibration knows of.
        return all_reduce.empty() || op.place != OperatorPlace::kLayer
                   ? pricer_->Seconds(op)
                   : all_reduce.Seconds(op.bytes) / 2;
      case OperatorKind::kAllToAll:
      case OperatorKind::kSend:
        return pricer_->Seconds(op);
      default:
        break;
    }
    const double priced = pricer_->Seconds(op);
    double factor = calibration_.dense_factor;
    if (prefill) factor *= calibration_.prefill_dense_factor;
    return DevicePhysics::Bound(priced, priced * factor * physics_.Stretch(op), physics_.Least(op));
  }

  TransformerOperators operators_;
  bool has_experts_;
  std::unique_ptr<const OperatorPricer> pricer_;
  CalibrationConfig calibration_;
  DevicePhysics physics_;
  bool attention_as_priced_;
};

class IterationModel final : public ComputeModel {
 public:
  explicit IterationModel(IterationModelConfig config)
      : stages_(config.parallelism.pipeline),
        micro_batches_(config.parallelism.micro_batches),
        layers_per_stage_(config.model.layers() / config.parallelism.pipeline),
        costs_(std::move(config)) {
    FillTables(std::clamp(config.expected_max_tokens, 1, kMaxTabulatedTokens));
  }

  double IterationSeconds(const IterationShape& shape) const override {
    if (stages_ > 1) return WithHost(PipelineSeconds(shape), shape);
    const bool prefill = shape.prefill_tokens > 0;
    double seconds = DenseSeconds(costs_.Padded(shape.tokens()), prefill);
    if (costs_.has_experts()) seconds += ExpertSeconds(costs_.ExpertRows(shape), prefill);
    seconds += OutputSeconds(shape.sampled_count);
    seconds += costs_.Attention(shape, 1);
    return WithHost(seconds, shape);
  }

  bool WantsLongestContext() const override { return costs_.pricer().WantsLongestContext(); }
  std::vector<AttentionWindow> Windows() const override { return costs_.Windows(); }

  // With stages, of the last micro-batch: an operator is done when that has passed it. What the
  // host adds comes first.
  std::vector<OperatorTime> OperatorTimes(const IterationShape& shape) const override;

  std::vector<std::string> OperatorNames() const override {
    std::vector<std::string> names;
    for (const auto& op : Everything()) names.emplace_back(op.name);
    return names;
  }

  std::vector<OperatorSource> Sources() const override {
    std::vector<OperatorSource> sources;
    for (const auto& op : Everything()) {
      const bool calibrated = !costs_.calibration().all_reduce.empty() &&
                              std::string(op.name).find("all_reduce") != std::string::npos;
      OperatorSource source{op.name, "calibration", {.confidence = Confidence::kMeasured}};
      if (!calibrated) {
        source.source = costs_.pricer().Source(op.name);
        source.quality = costs_.pricer().Quality(op.name);
        source.lacks_measurement = costs_.pricer().measures() && op.matters &&
                                   source.quality.confidence == Confidence::kAssumed;
      }
      sources.push_back(std::move(source));
    }
    return sources;
  }

 private:
  using PricedOperator = OperatorCosts::PricedOperator;

  // What the host adds to an iteration.
  double HostSeconds(double gpu_seconds, const IterationShape& shape) const {
    const int64_t sequences = int64_t{shape.decode_count} + shape.padding_count +
                              static_cast<int64_t>(shape.prefill.size());
    const CalibrationConfig& c = costs_.calibration();
    const double host = c.iteration_seconds + c.sequence_seconds * static_cast<double>(sequences);
    return c.overlaps_host ? std::max(0.0, host - gpu_seconds) : host;
  }
  double WithHost(double gpu_seconds, const IterationShape& shape) const {
    return gpu_seconds + HostSeconds(gpu_seconds, shape);
  }

  std::vector<PricedOperator> Everything() const {
    const PrefillChunk chunk{.new_tokens = 1, .history = 0};
    const IterationShape everything{.decode_count = 1,
                                    .decode_context = 1,
                                    .sampled_count = 2,
                                    .prefill_tokens = 1,
                                    .prefill = {&chunk, 1}};
    return costs_.List(everything, MicroBatches(everything));
  }

  // No more than rows.
  int32_t MicroBatches(const IterationShape& shape) const {
    if (stages_ == 1) return 1;
    return static_cast<int32_t>(std::clamp<int64_t>(shape.tokens(), 1, micro_batches_));
  }

  double PipelineSeconds(const IterationShape& shape) const {
    const int32_t parts = MicroBatches(shape);
    const bool prefill = shape.prefill_tokens > 0;
    PlaceSeconds seconds = DensePlaces(costs_.Padded(CeilDiv(shape.tokens(), parts)), prefill);
    if (costs_.has_experts()) {
      seconds.layers += ExpertSeconds(CeilDiv(costs_.ExpertRows(shape), parts), prefill);
    }
    seconds.after_layers += OutputSeconds(CeilDiv(shape.sampled_count, parts));
    seconds.layers += costs_.Attention(shape, parts);
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

  void FillTables(int32_t tokens) {
    const int32_t outputs = std::min(tokens, kMaxTabulatedOutputs);
    const bool alike = costs_.calibration().prefill_dense_factor == 1;
    for (const bool prefill : {false, true}) {
      if (prefill && alike) {
        dense_[1] = dense_[0];
        places_[1] = places_[0];
        experts_[1] = experts_[0];
        break;
      }
      for (int64_t n = 0; n <= tokens; ++n) {
        const PlaceSeconds dense = costs_.Dense(n, prefill);
        if (stages_ > 1) {
          places_[prefill].push_back(dense);
        } else {
          dense_[prefill].push_back(dense.sum());
        }
        if (costs_.has_experts()) experts_[prefill].push_back(costs_.Experts(n, prefill));
      }
    }
    for (int64_t n = 0; n <= outputs; ++n) output_.push_back(costs_.Output(n));
  }

  double DenseSeconds(int64_t rows, bool prefill) const {
    const std::vector<double>& table = dense_[prefill];
    if (rows < static_cast<int64_t>(table.size())) return table[static_cast<size_t>(rows)];
    return costs_.Dense(rows, prefill).sum();
  }
  PlaceSeconds DensePlaces(int64_t rows, bool prefill) const {
    const std::vector<PlaceSeconds>& table = places_[prefill];
    if (rows < static_cast<int64_t>(table.size())) return table[static_cast<size_t>(rows)];
    return costs_.Dense(rows, prefill);
  }
  double ExpertSeconds(int64_t rows, bool prefill) const {
    const std::vector<double>& table = experts_[prefill];
    if (rows < static_cast<int64_t>(table.size())) return table[static_cast<size_t>(rows)];
    return costs_.Experts(rows, prefill);
  }
  double OutputSeconds(int64_t rows) const {
    if (rows < static_cast<int64_t>(output_.size())) return output_[static_cast<size_t>(rows)];
    return costs_.Output(rows);
  }

  int32_t stages_;
  int32_t micro_batches_;
  int32_t layers_per_stage_;
  OperatorCosts costs_;
  // By whether there are prompt tokens.
  std::vector<double> dense_[2];         // by rows of the batch; without stages
  std::vector<PlaceSeconds> places_[2];  // by rows of a micro-batch; with stages
  std::vector<double> experts_[2];       // by rows of all ranks; of a mixture of experts
  std::vector<double> output_;           // by rows sampled
};

// Lays operators out one behind the other.
class Layout {
 public:
  Layout(const std::vector<OperatorCosts::PricedOperator>& operators, double layer_seconds)
      : operators_(operators), layer_seconds_(layer_seconds) {}

  [[nodiscard]] double Seconds(OperatorPlace place) const {
    double seconds = place == OperatorPlace::kLayer ? layer_seconds_ : 0;
    for (const auto& op : operators_) {
      if (op.place == place) seconds += op.seconds;
    }
    return seconds;
  }
  // Returns the end.
  double Add(OperatorPlace place, int32_t layer, double start) {
    if (place == OperatorPlace::kLayer) start += layer_seconds_;
    for (const auto& op : operators_) {
      if (op.place != place) continue;
      times_.push_back({op.name, layer, start, op.seconds});
      start = times_.back().end_seconds();
    }
    return start;
  }
  [[nodiscard]] std::vector<OperatorTime> Take() { return std::move(times_); }

 private:
  const std::vector<OperatorCosts::PricedOperator>& operators_;
  double layer_seconds_;
  std::vector<OperatorTime> times_;
};

std::vector<OperatorTime> IterationModel::OperatorTimes(const IterationShape& shape) const {
  const int32_t parts = MicroBatches(shape);
  const std::vector<PricedOperator> operators = costs_.List(shape, parts);
  Layout layout(operators, costs_.calibration().layer_seconds);
  FlowShop shop(parts);
  FlowShop ahead(parts);  // all of it, to know what the host adds
  const double layer_seconds = layout.Seconds(OperatorPlace::kLayer);
  const auto stage_seconds = [&](int32_t stage) {
    double seconds = layers_per_stage_ * layer_seconds;
    if (stage == 0) seconds += layout.Seconds(OperatorPlace::kBeforeLayers);
    if (stage + 1 == stages_) seconds += layout.Seconds(OperatorPlace::kAfterLayers);
    return seconds;
  };
  const double hop = layout.Seconds(OperatorPlace::kBetweenStages);
  for (int32_t stage = 0; stage < stages_; ++stage) {
    ahead.Next(stage_seconds(stage));
    if (stage + 1 < stages_) ahead.Next(hop);
  }
  const double host = HostSeconds(ahead.end(), shape);
  for (int32_t stage = 0; stage < stages_; ++stage) {
    double start = host + shop.Next(stage_seconds(stage));
    if (stage == 0) start = layout.Add(OperatorPlace::kBeforeLayers, -1, start);
    for (int32_t i = 0; i < layers_per_stage_; ++i) {
      start = layout.Add(OperatorPlace::kLayer, stage * layers_per_stage_ + i, start);
    }
    if (stage + 1 == stages_) {
      layout.Add(OperatorPlace::kAfterLayers, -1, start);
    } else {
      layout.Add(OperatorPlace::kBetweenStages, -1, host + shop.Next(hop));
    }
  }
  return layout.Take();
}

}  // namespace

std::unique_ptr<const ComputeModel> MakeIterationModel(IterationModelConfig config) {
  TOKENSIM_INVARIANT(config.model.layers() % config.parallelism.pipeline == 0,
                     "stages of unequal layers");
  return std::make_unique<IterationModel>(std::move(config));
}

}  // namespace tokensim
