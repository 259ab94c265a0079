// The time of an iteration from the times of its operators.
//
// An iteration is the sum over the operators of all layers, embedding, final norm, LM head and
// sampler, the collectives of tensor and expert parallelism, and what the host adds
// (calibration.h). A pricer (operator_pricer.h) gives the time of one operator: its formula, table
// or simulation is all that backends differ in.
//
//   auto model = MakeIterationModel({llama, {.tensor = 2}, pricer, calibration, 2048});
//
// Dense time depends only on the rows, output time only on the rows sampled: both are filled into
// tables once, by the same function that prices larger batches. An iteration costs two look-ups
// and its attention.
//
// With pipeline stages the rows of an iteration are cut into M equal micro-batches, at most one a
// row, which pass through the stages and the links between them one behind the other (GPipe, Huang
// et al., arXiv 1811.06965). Stage times t, hops h:
//
//   iteration = sum of all t and h + (M - 1) * max of all t and h + host
//
// which is GPipe's (M + stages - 1) t when all stages are equal and the hops short.
//
// Immutable, thread-safe.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/compute/calibration.h"
#include "engine/compute/compute_model.h"
#include "engine/compute/operator_pricer.h"
#include "engine/compute/sampling.h"
#include "engine/hardware/device.h"
#include "engine/model/model.h"

namespace tokensim {

struct IterationModelConfig {
  Model model;
  ParallelismConfig parallelism;
  std::unique_ptr<const OperatorPricer> pricer;
  CalibrationConfig calibration;
  SamplingConfig sampling;
  // Its peaks bound what a calibration can do; without them (0) nothing does.
  DeviceConfig device;
  // Iterations of up to this many tokens (16,384 at most) are priced from a table.
  int32_t expected_max_tokens = 0;
};

[[nodiscard]] std::unique_ptr<const ComputeModel> MakeIterationModel(IterationModelConfig config);

}  // namespace tokensim
