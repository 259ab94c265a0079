// How long requests are: samplers of one length, and sources of (input, output) pairs with
// `LengthPair Next()`.
//
// All draw from one stream, "length" unless they are told another, and nothing else. Internal to
// engine/workload; what runs once per request is inline.
//
//   auto pair = VisitLengths(workload.lengths, workload.trace, seed, kLengthStream,
//                            [](auto source) { return source.Next(); });
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/base/invariant.h"
#include "engine/base/math.h"
#include "engine/base/rng.h"
#include "engine/workload/poisson.h"
#include "engine/workload/workload.h"

namespace tokensim {

inline constexpr const char kLengthStream[] = "length";

struct LengthPair {
  int32_t input = 1;
  int32_t output = 1;
};

// `tokens` rounded and clamped to [min, max].
inline int32_t RoundLength(double tokens, int32_t min, int32_t max) {
  const double clamped = std::clamp(tokens, static_cast<double>(min), static_cast<double>(max));
  return static_cast<int32_t>(clamped + 0.5);
}

// Draws from a quantile table by inversion. On an evenly spaced grid of probabilities the interval
// is computed; otherwise it is searched for.
class QuantileSampler {
 public:
  explicit QuantileSampler(const QuantileTable& table);

  int32_t Draw(RngStream& rng) const {
    const double u = rng.Uniform();
    const double value = grid_scale_ > 0 ? AtGrid(u * grid_scale_) : AtProbability(u);
    return RoundLength(value, 1, std::numeric_limits<int32_t>::max());
  }

 private:
  // Linear between points floor(x) and floor(x) + 1.
  [[nodiscard]] double AtGrid(double x) const {
    const auto i = static_cast<size_t>(x);
    return values_[i] + (x - static_cast<double>(i)) * (values_[i + 1] - values_[i]);
  }
  [[nodiscard]] double AtProbability(double u) const;

  std::vector<double> probabilities_;  // empty on an evenly spaced grid
  std::vector<double> values_;         // the last one twice
  double grid_scale_ = 0;              // intervals of an evenly spaced grid, else 0
};

// Any of the five distributions. A switch on the kind: cheaper than std::visit, and predicted.
class LengthSampler {
 public:
  explicit LengthSampler(const LengthDistribution& distribution);

  int32_t Draw(RngStream& rng) const {
    switch (kind_) {
      case Kind::kFixed:
        return min_;
      case Kind::kUniform:
        return min_ + static_cast<int32_t>(rng.Below(uniform_count_));
      case Kind::kLogNormal:
        return RoundLength(median_ * math::Exp(sigma_ * rng.Normal()), min_, max_);
      case Kind::kQuantiles:
        return quantiles_.front().Draw(rng);
      case Kind::kPoisson:
        return RoundLength(poisson_->Draw(rng), min_, max_);
    }
    FailInvariant("unknown length distribution");
  }

 private:
  enum class Kind { kFixed, kUniform, kLogNormal, kQuantiles, kPoisson };

  void Set(const FixedLength& fixed);
  void Set(const UniformLength& uniform);
  void Set(const LogNormalLength& lognormal);
  void Set(const QuantileTable& table);
  void Set(const PoissonLength& poisson);

  Kind kind_ = Kind::kFixed;
  int32_t min_ = 1;
  int32_t max_ = 1;
  uint64_t uniform_count_ = 1;
  double median_ = 1;
  double sigma_ = 0;
  std::vector<QuantileSampler> quantiles_;  // at most one
  std::optional<PoissonSampler> poisson_;
};

class IndependentLengthSource {
 public:
  IndependentLengthSource(const IndependentLengths& config, uint64_t seed,
                          std::string_view stream = kLengthStream)
      : rng_(seed, stream), input_(config.input), output_(config.output) {}

  LengthPair Next() {
    const int32_t input = input_.Draw(rng_);
    return {input, output_.Draw(rng_)};
  }

 private:
  RngStream rng_;
  LengthSampler input_;
  LengthSampler output_;
};

class JointLengthSource {
 public:
  JointLengthSource(const JointLengths& config, uint64_t seed,
                    std::string_view stream = kLengthStream);

  LengthPair Next() {
    const int32_t input = input_.Draw(rng_);
    // Branch-free binary search: upper_.size() is a power of two, padded with the largest integer.
    size_t bin = 0;
    for (size_t step = upper_.size() / 2; step > 0; step /= 2) {
      bin += upper_[bin + step - 1] < input ? step : 0;
    }
    return {input, outputs_[bin].Draw(rng_)};
  }

 private:
  RngStream rng_;
  QuantileSampler input_;
  std::vector<int32_t> upper_;  // max_input of every bin; the last covers every input
  std::vector<QuantileSampler> outputs_;
};

class TraceRowSource {
 public:
  explicit TraceRowSource(std::shared_ptr<const TraceTable> trace) : trace_(std::move(trace)) {
    TOKENSIM_INVARIANT(trace_ != nullptr && trace_->size() > 0, "lengths from an empty trace");
  }

  size_t NextRow() {
    const size_t row = row_;
    row_ = row + 1 == trace_->input_tokens.size() ? 0 : row + 1;
    return row;
  }
  LengthPair Next() {
    const size_t row = NextRow();
    return {trace_->input_tokens[row], trace_->output_tokens[row]};
  }

 private:
  std::shared_ptr<const TraceTable> trace_;
  size_t row_ = 0;
};

class ResampledTraceSource {
 public:
  ResampledTraceSource(std::shared_ptr<const TraceTable> trace, uint64_t seed,
                       std::string_view stream = kLengthStream)
      : rng_(seed, stream), trace_(std::move(trace)) {
    TOKENSIM_INVARIANT(trace_ != nullptr && trace_->size() > 0, "lengths from an empty trace");
  }

  size_t NextRow() { return rng_.Below(trace_->input_tokens.size()); }
  LengthPair Next() {
    const size_t row = NextRow();
    return {trace_->input_tokens[row], trace_->output_tokens[row]};
  }

 private:
  RngStream rng_;
  std::shared_ptr<const TraceTable> trace_;
};

// visit(source) with the source of these lengths, by value.
template <typename Visitor>
auto VisitLengths(const Lengths& lengths, const std::shared_ptr<const TraceTable>& trace,
                  uint64_t seed, std::string_view stream, Visitor visit) {
  if (const auto* joint = std::get_if<JointLengths>(&lengths)) {
    return visit(JointLengthSource(*joint, seed, stream));
  }
  if (const auto* independent = std::get_if<IndependentLengths>(&lengths)) {
    return visit(IndependentLengthSource(*independent, seed, stream));
  }
  if (std::get<TraceLengths>(lengths).resample) {
    return visit(ResampledTraceSource(trace, seed, stream));
  }
  return visit(TraceRowSource(trace));
}

}  // namespace tokensim
