// A compute model that keeps account of what its iterations were spent on.
//
//   auto recording = std::make_shared<const RecordingModel>(plan.workers[0].compute);
//   ...                                    // a run
//   recording->SecondsPerIteration("qkv_proj");
//
// The times are those of the model it wraps. For one run in one thread: unlike other models it
// changes while it is used, and is much slower.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/compute/compute_model.h"

namespace tokensim {

class RecordingModel final : public ComputeModel {
 public:
  explicit RecordingModel(std::shared_ptr<const ComputeModel> model) : model_(std::move(model)) {}

  [[nodiscard]] double IterationSeconds(const IterationShape& shape) const override;
  [[nodiscard]] bool WantsLongestContext() const override { return model_->WantsLongestContext(); }
  [[nodiscard]] std::vector<OperatorTime> OperatorTimes(const IterationShape& shape) const override {
    return model_->OperatorTimes(shape);
  }
  [[nodiscard]] std::vector<OperatorSource> Sources() const override { return model_->Sources(); }
  [[nodiscard]] std::vector<std::string> OperatorNames() const override {
    return model_->OperatorNames();
  }

  // Means over the iterations asked for so far; 0 without any. Of all layers; with pipeline stages
  // of the last micro-batch.
  [[nodiscard]] double SecondsPerIteration(std::string_view name) const;
  // What no operator takes: the host, and with stages the other micro-batches.
  [[nodiscard]] double OtherSecondsPerIteration() const;
  [[nodiscard]] int64_t iterations() const { return iterations_; }

 private:
  std::shared_ptr<const ComputeModel> model_;
  mutable std::map<std::string_view, double> seconds_;
  mutable double all_seconds_ = 0;
  mutable int64_t iterations_ = 0;
};

}  // namespace tokensim
