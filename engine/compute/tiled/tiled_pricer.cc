#include "engine/compute/tiled/tiled_pricer.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "engine/compute/backend.h"
#include "engine/compute/collective_costs.h"
#include "engine/compute/iteration_model.h"
#include "engine/hardware/peak.h"
#include "engine/compute/tiled/attention_tiles.h"
#include "engine/compute/tiled/gemm_mapper.h"

namespace tokensim {
namespace {

// Of a vector operator (operators.cc), for each byte it moves.
struct VectorWork {
  double operations_per_byte;
  bool by_rows;  // a row stays in one core, which needs all of it: a sum or maximum
};

VectorWork VectorWorkOf(std::string_view name) {
  // Add, square, sum, scale, multiply: 6 for an element, which moves 8 bytes.
  if (name.find("norm") != std::string_view::npos) return {6.0 / 8, true};
  // Maximum, difference, exponential (about 10), sum, division: 16 for a logit, which moves 10.
  if (name == "sampler") return {16.0 / 10, true};
  // SiLU and product: 16 for an output, which moves 6 bytes.
  if (name == "activation") return {16.0 / 6, false};
  return {1.0 / 2, false};  // a multiply-add for each element
}

class TiledPricer final : public OperatorPricer {
 public:
  TiledPricer(const Model& model, const DeviceConfig& device, const TiledDeviceConfig& tiles,
              const ParallelismConfig& split)
      : machine_(tiles, device),
        gemms_(machine_, model.formats.mlp.bytes,
               PeakFlops(model.formats.mlp.number, device) / device.peak_flops),
        attention_(machine_, ShardOf(model.groups.front(), split),
                   model.groups.front().attention.head_dim, model.kv_bytes_per_element),
        collectives_(device.interconnect, split) {}

  double Seconds(const Operator& op) const override { return machine_.launch_seconds + Work(op); }

  AttentionSeconds Attention(const IterationShape& shape, int32_t parts) const override {
    AttentionSeconds seconds;
    if (shape.decode_count > 0) {
      seconds.decode = attention_.Decode(shape.decode_count, shape.decode_context,
                                         shape.max_decode_context, parts);
    }
    if (!shape.prefill.empty()) seconds.prefill = attention_.Prefill(shape.prefill, parts);
    return seconds;
  }

  std::string Source(const std::string& name) const override {
    const bool moves = name.find("all_") != std::string::npos ||
                       name.find("expert_dispatch") != std::string::npos ||
                       name.find("expert_combine") != std::string::npos ||
                       name.find("expert_gather") != std::string::npos ||
                       name.find("reduce_scatter") != std::string::npos ||
                       name.find("_send") != std::string::npos;
    return moves ? "interconnect" : "tiled";
  }

 private:
  double Work(const Operator& op) const {
    switch (op.kind) {
      case OperatorKind::kGemm:
        return gemms_
            .Map({.rows = op.rows, .inner = op.inner, .outer = op.outer, .matrices = op.matrices})
            .seconds;
      case OperatorKind::kMemory:
        return VectorSeconds(op);
      default:
        return collectives_.Seconds(op);
    }
  }

  double VectorSeconds(const Operator& op) const {
    const VectorWork work = VectorWorkOf(op.name);
    const double pieces = work.by_rows ? op.rows : machine_.cores;
    const double bytes = op.bytes / pieces;
    const double core = Tiles(pieces, machine_.cores) *
                        std::max(bytes * machine_.port_byte_seconds,
                                 bytes * work.operations_per_byte * machine_.vector_seconds);
    return std::max(core, op.bytes * machine_.memory_byte_seconds);
  }

  TiledMachine machine_;
  GemmMapper gemms_;
  AttentionTiles attention_;
  CollectiveCosts collectives_;
};

}  // namespace

std::unique_ptr<const OperatorPricer> MakeTiledPricer(const Model& model,
                                                      const DeviceConfig& device,
                                                      const TiledDeviceConfig& tiles,
                                                      const ParallelismConfig& split) {
  return std::make_unique<TiledPricer>(model, device, tiles, split);
}

std::unique_ptr<const ComputeModel> MakeTiledModel(const Model& model, const DeviceConfig& device,
                                                   const TiledDeviceConfig& tiles,
                                                   const ParallelismConfig& split,
                                                   int32_t expected_max_tokens) {
  return MakeIterationModel({.model = model,
                             .parallelism = split,
                             .pricer = MakeTiledPricer(model, device, tiles, split),
                             .calibration = {.iteration_seconds = device.iteration_overhead_seconds,
                                             .sequence_seconds = device.sequence_overhead_seconds},
                             .expected_max_tokens = expected_max_tokens});
}

extern constinit const BackendEntry kTiledBackend = {
    {.name = "tiled",
     .description = "operators mapped on the hardware's systolic arrays and buffers"},
    {.needs_tiles = true},
    [](const ParameterValues& /*values*/) -> BackendFactory::Maker {
      return [](const BackendContext& c) {
        return MakeOperatorModel(c, MakeTiledPricer(c.model, c.device, c.tiles, c.split));
      };
    }};

}  // namespace tokensim
