#include "engine/compute/operator_costs.h"

#include <algorithm>
#include <string_view>

namespace tokensim {

OperatorCosts::OperatorCosts(IterationModelConfig config)
    : operators_(config.model, config.parallelism, config.sampling),
      has_experts_(config.model.has_experts()),
      pricer_(std::move(config.pricer)),
      calibration_(std::move(config.calibration)),
      physics_(config.device, calibration_.compute_factor),
      attention_as_priced_(calibration_.attention_factor == 1 &&
                           calibration_.attention_launch_seconds == 0 &&
                           calibration_.compute_factor == 1) {}

// ---- Operators by rows

template <typename Append>
PlaceSeconds OperatorCosts::Sum(Append append, bool prefill) const {
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

PlaceSeconds OperatorCosts::Dense(int64_t rows, bool prefill) const {
  if (rows == 0) return {};
  PlaceSeconds seconds = Sum([&](auto& out) { operators_.AppendDense(rows, out); }, prefill);
  seconds.layers += operators_.layers() * calibration_.layer_seconds;
  return seconds;
}

double OperatorCosts::Experts(int64_t rows, bool prefill) const {
  if (rows == 0) return 0;
  return Sum([&](auto& out) { operators_.AppendExperts(rows, out); }, prefill).layers;
}

double OperatorCosts::Output(int64_t rows) const {
  if (rows == 0) return 0;
  return Sum([&](auto& out) { operators_.AppendOutput(rows, out); }, false).after_layers;
}

double OperatorCosts::Seconds(const Operator& op, bool prefill) const {
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

// ---- Attention

double OperatorCosts::Calibrated(double priced, const AttentionPeaks& peaks, int32_t parts) const {
  const double stretch = peaks.least > 0 ? peaks.stretched / peaks.least : 1;
  return DevicePhysics::Bound(
      priced,
      priced * calibration_.attention_factor * stretch - calibration_.attention_launch_seconds,
      peaks.least / parts);
}

AttentionSeconds OperatorCosts::CalibratedAttention(const IterationShape& shape, int32_t parts,
                                                    AttentionSeconds seconds) const {
  const auto add_to = [this](AttentionPeaks* peaks) {
    return [this, peaks](const Operator& op) {
      const double share = static_cast<double>(op.repeats) / operators_.layers();
      peaks->least += share * physics_.Least(op);
      peaks->stretched += share * physics_.Stretched(op);
    };
  };
  if (shape.decode_count > 0) {
    AttentionPeaks peaks;
    operators_.VisitDecodeAttention(shape, add_to(&peaks));
    seconds.decode = Calibrated(seconds.decode, peaks, parts);
  }
  if (!shape.prefill.empty()) {
    AttentionPeaks peaks;
    operators_.VisitPrefillAttention(shape.prefill, add_to(&peaks));
    seconds.prefill = Calibrated(seconds.prefill, peaks, parts);
  }
  return seconds;
}

// ---- Lists

void OperatorCosts::AddMean(const Operator& op, double seconds,
                            std::vector<PricedOperator>* priced) const {
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

std::vector<OperatorCosts::PricedOperator> OperatorCosts::List(const IterationShape& shape,
                                                               int32_t parts) const {
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

}  // namespace tokensim
