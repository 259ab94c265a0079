// Which operators a batch has and what they cost: the prices of a pricer, calibrated. Prices by rows,
// without tables; IterationModel keeps those.
//
//   const OperatorCosts costs(std::move(config));
//   const double seconds = costs.Dense(rows, /*prefill=*/true).sum() + costs.Attention(shape, 1);
//
// Immutable, thread-safe. Internal to engine/compute.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "engine/compute/device_physics.h"
#include "engine/compute/iteration_model.h"
#include "engine/compute/operators.h"

namespace tokensim {

inline int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The seconds of a batch by where its operators belong.
struct PlaceSeconds {
  double before_layers = 0;
  double layers = 0;  // all of them
  double after_layers = 0;
  double send = 0;  // one hop

  [[nodiscard]] double sum() const { return before_layers + layers + after_layers; }
};

class OperatorCosts {
 public:
  explicit OperatorCosts(IterationModelConfig config);

  struct PricedOperator {
    const char* name;
    OperatorPlace place;
    int32_t repeats;
    double seconds;  // of one repeat
    bool matters;    // more than a pass over activations
  };

  // `prefill`: the iteration has prompt tokens. Without rows there is nothing to compute.
  [[nodiscard]] PlaceSeconds Dense(int64_t rows, bool prefill) const;
  [[nodiscard]] double Experts(int64_t rows, bool prefill) const;
  [[nodiscard]] double Output(int64_t rows) const;
  // All layers.
  [[nodiscard]] double Attention(const IterationShape& shape, int32_t parts) const {
    return operators_.layers() * AttentionInLayer(shape, parts).sum();
  }

  // Rows that the dense operators are computed with.
  [[nodiscard]] int64_t Padded(int64_t rows) const {
    const std::vector<int32_t>& sizes = calibration_.capture_sizes;
    const auto captured = std::lower_bound(sizes.begin(), sizes.end(), rows);
    return captured == sizes.end() ? rows : *captured;
  }

  // One of each operator of a micro-batch, in the order they run.
  [[nodiscard]] std::vector<PricedOperator> List(const IterationShape& shape, int32_t parts) const;

  [[nodiscard]] int64_t ExpertRows(const IterationShape& shape) const {
    return shape.gathered_tokens > 0 ? shape.gathered_tokens : Padded(shape.tokens());
  }
  [[nodiscard]] std::vector<AttentionWindow> Windows() const { return operators_.Windows(); }
  [[nodiscard]] bool has_experts() const { return has_experts_; }
  [[nodiscard]] const CalibrationConfig& calibration() const { return calibration_; }
  [[nodiscard]] const OperatorPricer& pricer() const { return *pricer_; }

 private:
  // What the peaks say of attention: of one layer, the mean.
  struct AttentionPeaks {
    double least = 0;      // seconds
    double stretched = 0;  // the same at sustained clocks
  };

  // Of layers that differ, the mean: an operator that some have is a part of every layer.
  void AddMean(const Operator& op, double seconds, std::vector<PricedOperator>* priced) const;
  [[nodiscard]] AttentionSeconds AttentionInLayer(const IterationShape& shape,
                                                  int32_t parts) const {
    const AttentionSeconds seconds = pricer_->Attention(shape, parts);
    return attention_as_priced_ ? seconds : CalibratedAttention(shape, parts, seconds);
  }
  [[nodiscard]] AttentionSeconds CalibratedAttention(const IterationShape& shape, int32_t parts,
                                                     AttentionSeconds seconds) const;
  [[nodiscard]] double Calibrated(double priced, const AttentionPeaks& peaks, int32_t parts) const;
  template <typename Append>
  [[nodiscard]] PlaceSeconds Sum(Append append, bool prefill) const;
  [[nodiscard]] double Seconds(const Operator& op, bool prefill) const;

  TransformerOperators operators_;
  bool has_experts_;
  std::unique_ptr<const OperatorPricer> pricer_;
  CalibrationConfig calibration_;
  DevicePhysics physics_;
  bool attention_as_priced_;
};

}  // namespace tokensim
