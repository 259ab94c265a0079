#include "engine/compute/recording_model.h"

namespace tokensim {

double RecordingModel::IterationSeconds(const IterationShape& shape) const {
  const double seconds = model_->IterationSeconds(shape);
  for (const OperatorTime& op : model_->OperatorTimes(shape)) seconds_[op.name] += op.seconds;
  all_seconds_ += seconds;
  ++iterations_;
  return seconds;
}

double RecordingModel::SecondsPerIteration(std::string_view name) const {
  const auto found = seconds_.find(name);
  return found == seconds_.end() ? 0 : found->second / static_cast<double>(iterations_);
}

double RecordingModel::OtherSecondsPerIteration() const {
  if (iterations_ == 0) return 0;
  double other = all_seconds_;
  for (const auto& [name, seconds] : seconds_) other -= seconds;
  return other / static_cast<double>(iterations_);
}

}  // namespace tokensim
