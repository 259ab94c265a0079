// Where the times of iterations come from: what the compute backends have in common.
//
// A backend makes the compute model of a worker from what is known of its model and device. They
// are one file or folder each beside this one; backend_registry.h finds them by name.
// docs/compute.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "engine/base/registry.h"
#include "engine/compute/calibration.h"
#include "engine/compute/compute_model.h"
#include "engine/compute/kernels/efficiency_surface.h"
#include "engine/compute/operator_pricer.h"
#include "engine/compute/profile/profile_tables.h"
#include "engine/compute/sampling.h"
#include "engine/hardware/device.h"
#include "engine/hardware/tiled_device.h"
#include "engine/model/transformer.h"

namespace tokensim {

// What a backend needs to know; the rest of its context may be empty.
struct BackendTraits {
  bool prices_operators = true;  // every figure of the model and of the device
  bool needs_tiles = false;      // the arrays and buffers of the device
  bool needs_surfaces = false;   // the efficiencies of kernels on the device
};

struct BackendContext {
  Model model;
  DeviceConfig device;
  ParallelismConfig split;
  CalibrationConfig calibration;
  SamplingConfig sampling;
  int32_t expected_max_tokens = 0;  // of an iteration
  TiledDeviceConfig tiles;
  std::span<const EfficiencySurface> surfaces;
  ProfileTables profile;  // of a measured model
};

class BackendFactory : public PolicyFactory<const ComputeModel, BackendTraits, BackendContext> {
 public:
  using PolicyFactory::PolicyFactory;
};
using BackendEntry = PolicyEntry<BackendFactory>;
using BackendRegistry = PolicyRegistry<BackendFactory>;

// The model of an iteration whose operators a backend prices.
[[nodiscard]] std::unique_ptr<const ComputeModel> MakeOperatorModel(
    const BackendContext& context, std::unique_ptr<const OperatorPricer> pricer);

}  // namespace tokensim
