#include "engine/compute/profile/profile_pricer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/invariant.h"
#include "engine/compute/backend.h"
#include "engine/compute/profile/attention_table.h"
#include "engine/compute/profile/axis.h"
#include "engine/compute/profile/measured_operators.h"
#include "engine/compute/roofline.h"

namespace tokensim {
namespace {

// Seconds by size.
class Curve {
 public:
  void Add(double size, double seconds) { points_[size] = seconds; }
  void Finish() {
    for (const auto& [size, seconds] : points_) {
      sizes_.push_back(size);
      seconds_.push_back(seconds);
    }
    points_.clear();
  }
  [[nodiscard]] double Seconds(double size) const {
    const AxisPosition p = Locate(sizes_, size);
    const double low = seconds_[p.below];
    return p.fraction == 0 ? low : low + p.fraction * (seconds_[p.below + 1] - low);
  }
  [[nodiscard]] double Clamp(double size) const {
    return std::clamp(size, sizes_.front(), sizes_.back());
  }

 private:
  std::map<double, double> points_;
  std::vector<double> sizes_;
  std::vector<double> seconds_;
};

std::map<std::string, Curve> CurvesOf(const OperatorTimesTable& table) {
  std::map<std::string, Curve> curves;
  for (size_t i = 0; i < table.microseconds.size(); ++i) {
    const std::string& name = table.layers[static_cast<size_t>(table.layer[i])];
    curves[name].Add(table.size[i], 1e-6 * table.microseconds[i]);
  }
  for (auto& [name, curve] : curves) curve.Finish();
  return curves;
}

// Seconds by tokens and activated experts: linear in both. Few tokens activate few experts, so a
// number of tokens has its own range of experts.
class MoeSurface {
 public:
  explicit MoeSurface(const MoeTimesTable& table) {
    std::map<double, Curve> curves;
    for (size_t i = 0; i < table.size(); ++i) {
      curves[table.tokens[i]].Add(table.activated_experts[i], 1e-6 * table.microseconds[i]);
    }
    for (auto& [tokens, curve] : curves) {
      curve.Finish();
      tokens_.push_back(tokens);
      curves_.push_back(std::move(curve));
    }
  }
  [[nodiscard]] double Seconds(double tokens, double experts) const {
    const AxisPosition p = Locate(tokens_, tokens);
    const double low = curves_[p.below].Seconds(experts);
    return p.fraction == 0 ? low : low + p.fraction * (curves_[p.below + 1].Seconds(experts) - low);
  }
  [[nodiscard]] bool empty() const { return tokens_.empty(); }
  [[nodiscard]] double Clamp(double tokens) const {
    return std::clamp(tokens, tokens_.front(), tokens_.back());
  }

 private:
  std::vector<double> tokens_;
  std::vector<Curve> curves_;
};

// alpha by chunk and decodes.
class SkewSurface {
 public:
  explicit SkewSurface(const SkewTable& table) {
    std::map<double, Curve> curves;
    for (size_t i = 0; i < table.size(); ++i) {
      curves[table.prefill_chunk[i]].Add(table.n_decode[i], table.alpha[i]);
    }
    for (auto& [chunk, curve] : curves) {
      curve.Finish();
      chunks_.push_back(chunk);
      curves_.push_back(std::move(curve));
    }
  }
  [[nodiscard]] bool empty() const { return chunks_.empty(); }
  [[nodiscard]] double Alpha(double chunk, double decodes) const {
    const AxisPosition p = Locate(chunks_, chunk);
    const double low = curves_[p.below].Seconds(decodes);
    return p.fraction == 0 ? low : low + p.fraction * (curves_[p.below + 1].Seconds(decodes) - low);
  }

 private:
  std::vector<double> chunks_;
  std::vector<Curve> curves_;
};

class ProfilePricer final : public OperatorPricer {
 public:
  ProfilePricer(const ProfileTables& tables, const Model& model, const DeviceConfig& device,
                const ParallelismConfig& split)
      : source_("profile: " + tables.source),
        roofline_(MakeRooflinePricer(model, device, split)),
        experts_per_token_(model.has_experts() ? model.experts()->mlp.experts_per_token : 0),
        dense_(CurvesOf(tables.dense)),
        per_sequence_(CurvesOf(tables.per_sequence)),
        moe_(tables.moe),
        attention_(tables.attention),
        skew_(tables.skew),
        fixed_(attention_.Seconds({.chunk = 1e-9})) {}

  double Seconds(const Operator& op) const override {
    const MeasuredOperator* measured = FindMeasuredOperator(op.name);
    if (measured == nullptr) return roofline_->Seconds(op);
    switch (measured->table) {
      case MeasuredTable::kMoe:
        if (moe_.empty()) return roofline_->Seconds(op);
        return measured->layer.empty() ? 0 : ExpertSeconds(op);
      case MeasuredTable::kDense:
        return CurveSeconds(dense_, *measured, op);
      case MeasuredTable::kPerSequence:
        return CurveSeconds(per_sequence_, *measured, op);
    }
    return 0;
  }

  AttentionSeconds Attention(const IterationShape& shape, int32_t parts) const override {
    AttentionPoint point;
    double greatest = 0;
    if (shape.decode_count > 0) {
      const double count = shape.decode_count;
      point.decodes = count / parts;
      point.context = static_cast<double>(shape.decode_context) / count;
      greatest = std::max(point.context, static_cast<double>(shape.max_decode_context));
    }
    if (shape.prefill.empty()) return {.decode = WithSkew(point, greatest)};
    size_t largest = 0;
    for (size_t i = 1; i < shape.prefill.size(); ++i) {
      if (shape.prefill[i].new_tokens > shape.prefill[largest].new_tokens) largest = i;
    }
    const double decode = point.decodes > 0 ? WithSkew(point, greatest) : 0;
    double extra = 0;
    for (size_t i = 0; i < shape.prefill.size(); ++i) {
      const PrefillChunk& chunk = shape.prefill[i];
      const AttentionPoint alone = {.chunk = static_cast<double>(chunk.new_tokens) / parts,
                                    .history = static_cast<double>(chunk.history)};
      if (i != largest) {
        extra += std::max(0.0, At(alone) - fixed_);
      } else {
        point.chunk = alone.chunk;
        point.history = alone.history;
      }
    }
    const double all = attention_.mixes() || point.decodes == 0
                           ? WithSkew(point, greatest) + extra
                           : At({.chunk = point.chunk, .history = point.history}) + decode + extra;
    return {.prefill = std::max(0.0, all - decode), .decode = std::min(all, decode)};
  }

  bool WantsLongestContext() const override { return !skew_.empty(); }

  std::string Source(const std::string& name) const override {
    if (name == "prefill_attention" || name == "decode_attention") return source_;
    const MeasuredOperator* measured = FindMeasuredOperator(name);
    if (measured == nullptr) return roofline_->Source(name);
    const std::string layer(measured->layer);
    const bool known = measured->table == MeasuredTable::kMoe     ? !moe_.empty()
                       : measured->table == MeasuredTable::kDense ? dense_.contains(layer)
                                                                  : per_sequence_.contains(layer);
    return known ? source_ : roofline_->Source(name);
  }

  PriceQuality Quality(const std::string& name) const override {
    if (Source(name) != source_) return {};
    return {.confidence = Confidence::kMeasured};
  }

  bool measures() const override { return true; }

 private:
  double CurveSeconds(const std::map<std::string, Curve>& curves, const MeasuredOperator& measured,
                      const Operator& op) const {
    const auto own = curves.find(std::string(measured.layer));
    if (own == curves.end()) return roofline_->Seconds(op);
    double seconds = AlongCurve(own->second, op);
    for (const std::string_view with : measured.with) {
      const auto found = curves.find(std::string(with));
      if (found != curves.end()) seconds += AlongCurve(found->second, op);
    }
    return seconds;
  }

  double AlongCurve(const Curve& curve, const Operator& op) const {
    const double rows = curve.Clamp(op.rows);
    const double seconds = curve.Seconds(rows);
    return rows < op.rows ? seconds * (1 + Growth(op, rows)) : seconds;
  }

  // By how much the roofline grows from `edge` rows to those of the operator, relative to it.
  double Growth(const Operator& op, double edge) const {
    Operator smaller = op;
    const double share = edge / op.rows;
    const double weights = op.kind == OperatorKind::kGemm
                               ? op.bytes - 2 * op.rows * (op.inner + op.outer)
                               : 0;  // 2: bytes of an activation
    smaller.rows = edge;
    smaller.flops *= share;
    smaller.bytes = weights + (op.bytes - weights) * share;
    return roofline_->Seconds(op) / roofline_->Seconds(smaller) - 1;
  }

  // The table counts the (token, expert) pairs of one rank in tokens: of all that are routed, it
  // has the part of its experts.
  double ExpertSeconds(const Operator& op) const {
    const double tokens = op.rows / experts_per_token_;
    const double clamped = moe_.Clamp(tokens);
    const double seconds = moe_.Seconds(clamped, op.matrices);
    if (clamped >= tokens) return seconds;
    return seconds * (1 + Growth(op, clamped * experts_per_token_));
  }

  double At(const AttentionPoint& point) const {
    const AttentionPoint edge = attention_.Clamp(point);
    const double seconds = attention_.Seconds(edge);
    const bool beyond = point.chunk > edge.chunk || point.history > edge.history ||
                        point.decodes > edge.decodes || point.context > edge.context;
    return beyond ? seconds * (Roofline(point) / Roofline(edge)) : seconds;
  }

  double Roofline(const AttentionPoint& point) const {
    const auto round = [](double value) { return static_cast<int64_t>(std::lround(value)); };
    const PrefillChunk chunk{.new_tokens = static_cast<int32_t>(round(point.chunk)),
                             .history = static_cast<int32_t>(round(point.history))};
    IterationShape shape{.decode_count = static_cast<int32_t>(round(point.decodes)),
                         .decode_context = round(point.decodes * point.context)};
    if (point.chunk > 0) {
      shape.prefill_tokens = chunk.new_tokens;
      shape.prefill = {&chunk, 1};
    }
    return roofline_->Attention(shape, 1).sum();
  }

  double WithSkew(AttentionPoint point, double greatest) const {
    const double mean = At(point);
    if (skew_.empty() || greatest <= point.context) return mean;
    const double alpha = skew_.Alpha(point.chunk, point.decodes);
    point.context = greatest;
    return std::max(0.5 * mean, mean + alpha * (At(point) - mean));
  }

  std::string source_;
  std::unique_ptr<const OperatorPricer> roofline_;
  double experts_per_token_;
  std::map<std::string, Curve> dense_;
  std::map<std::string, Curve> per_sequence_;
  MoeSurface moe_;
  AttentionTable attention_;
  SkewSurface skew_;
  double fixed_;  // of the shortest chunk
};

}  // namespace

std::unique_ptr<const OperatorPricer> MakeProfilePricer(const ProfileTables& tables,
                                                        const Model& model,
                                                        const DeviceConfig& device,
                                                        const ParallelismConfig& split) {
  return std::make_unique<ProfilePricer>(tables, model, device, split);
}

extern constinit const BackendEntry kProfileBackend = {
    {.name = "profile",
     .description = "operators as they were measured on a GPU (a profile bundle)"},
    {},
    [](const ParameterValues& /*values*/) -> BackendFactory::Maker {
      return [](const BackendContext& c) {
        return MakeOperatorModel(c, MakeProfilePricer(c.profile, c.model, c.device, c.split));
      };
    }};

}  // namespace tokensim
