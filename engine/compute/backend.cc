#include "engine/compute/backend.h"

#include <utility>

#include "engine/compute/iteration_model.h"

namespace tokensim {

std::unique_ptr<const ComputeModel> MakeOperatorModel(
    const BackendContext& context, std::unique_ptr<const OperatorPricer> pricer) {
  IterationModelConfig config;
  config.model = context.model;
  config.parallelism = context.split;
  config.pricer = std::move(pricer);
  config.calibration = context.calibration;
  config.sampling = context.sampling;
  config.device = context.device;
  config.expected_max_tokens = context.expected_max_tokens;
  return MakeIterationModel(std::move(config));
}

}  // namespace tokensim
