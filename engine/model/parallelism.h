// How one model is split over the tensor x pipeline devices of a worker.
#pragma once

#include <cstdint>

namespace tokensim {

struct ParallelismConfig {
  int32_t tensor = 1;         // devices that share every layer
  int32_t pipeline = 1;       // stages of equal numbers of layers; divides the layers
  int32_t expert = 1;         // 1: a slice of every expert on each device. tensor x data: whole
                              // experts spread over the devices; divides num_experts
  int32_t data = 1;           // replicas that share their experts and run in lock-step
  int32_t micro_batches = 1;  // that an iteration is cut into; ignored without stages
};

}  // namespace tokensim
