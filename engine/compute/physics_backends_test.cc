// The laws of physics_test.cc for the backends whose figures are measured or searched: every
// shipped model on every shipped device that has them. Kernels jump where they change tiles, so
// "more work is never faster" holds for twice the work, up to a few percent.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/test_cases.h"
#include "engine/compute/iteration_model.h"
#include "engine/compute/kernels/kernel_pricer.h"
#include "engine/compute/roofline.h"
#include "engine/compute/tiled/tiled_pricer.h"
#include "engine/io/plan/test_presets.h"

namespace tokensim {
namespace {

// Tables are not what is tested here: everything is priced when asked for.
constexpr int32_t kTabulated = 1;

IterationShape Decodes(int32_t count, int64_t context_each) {
  return {.decode_count = count, .decode_context = count * context_each, .sampled_count = count};
}

double Prefill(const ComputeModel& compute, int32_t tokens) {
  const PrefillChunk chunk{.new_tokens = tokens, .history = 0};
  return compute.IterationSeconds(
      {.sampled_count = 1, .prefill_tokens = tokens, .prefill = {&chunk, 1}});
}

using Backend = std::function<std::unique_ptr<const OperatorPricer>(
    const TransformerConfig&, const DeviceConfig&, const ParallelismConfig&)>;

struct Deployment {
  std::string name;
  TransformerConfig model;
  DeviceConfig device;
  ParallelismConfig split;
  Backend backend;

  [[nodiscard]] std::unique_ptr<const ComputeModel> Compute(const TransformerConfig& other_model,
                                                            const DeviceConfig& other) const {
    return MakeIterationModel({.model = other_model,
                               .parallelism = split,
                               .pricer = backend(other_model, other, split),
                               .calibration = {},
                               .expected_max_tokens = kTabulated});
  }
  // Of the matrices that every token passes, on one device.
  [[nodiscard]] double DenseParameters() const {
    const double experts = model.num_experts > 0 ? model.experts_per_token : 1;
    const double mlp = (model.gated_mlp ? 3.0 : 2.0) * model.hidden_size * model.intermediate_size;
    const double heads = 2.0 * model.num_attention_heads + 2.0 * model.num_kv_heads;
    const double attention = heads * model.head_dim * model.hidden_size;
    return model.num_layers * (attention + experts * mlp) / split.tensor;
  }
};

// The backends that a device has figures for.
std::vector<std::pair<std::string, Backend>> BackendsOf(const HardwarePreset& hardware) {
  std::vector<std::pair<std::string, Backend>> backends;
  if (const auto surfaces = ReadKernelSurfaces(hardware.file); !surfaces.empty()) {
    backends.emplace_back("kernels",
                          [surfaces](const auto& model, const auto& device, const auto& split) {
                            return MakeKernelPricer(model, device, surfaces, split);
                          });
  }
  if (const TiledDeviceConfig tiles = ReadTiledPreset(hardware.file); tiles.cores > 0) {
    backends.emplace_back("tiled",
                          [tiles](const auto& model, const auto& device, const auto& split) {
                            return MakeTiledPricer(model, device, tiles, split);
                          });
  }
  return backends;
}

std::vector<Deployment> Deployments() {
  std::vector<Deployment> deployments;
  for (const HardwarePreset& hardware : ReadHardwarePresets()) {
    for (const auto& [name, backend] : BackendsOf(hardware)) {
      for (const ModelPreset& model : ReadModelPresets()) {
        // The fewest devices that hold the weights.
        const bool linked = hardware.config.interconnect.bandwidth_bytes_per_second > 0;
        for (int32_t devices = 1; devices <= (linked ? 8 : 1); devices *= 2) {
          const ParallelismConfig split = {.tensor = devices};
          const double weights = static_cast<double>(WeightBytesPerDevice(model.config, split));
          if (model.config.num_attention_heads % devices != 0 ||
              weights > 0.9 * static_cast<double>(hardware.config.memory_bytes)) {
            continue;
          }
          deployments.push_back(
              {model.file + " on " + std::to_string(devices) + " " + hardware.file + " by " + name,
               model.config, hardware.config, split, backend});
          break;
        }
      }
    }
  }
  return Sample(std::move(deployments));
}

TEST(PhysicsOfBackendsTest, EveryBackendHasDeployments) {
  int kernels = 0;
  int tiled = 0;
  for (const Deployment& d : Deployments()) (d.name.ends_with("kernels") ? kernels : tiled) += 1;
  EXPECT_GE(kernels, Cases(40));
  EXPECT_GE(tiled, Cases(10));
}

TEST(PhysicsOfBackendsTest, NoIterationBeatsMemoryOrArithmetic) {
  for (const Deployment& d : Deployments()) {
    SCOPED_TRACE(d.name);
    const auto compute = d.Compute(d.model, d.device);
    const double weights = d.DenseParameters() * d.model.weight_bytes_per_parameter;
    for (const int32_t count : {1, 8, 64, 256}) {
      for (const int64_t context : {1, 100, 2000}) {
        const double kv = static_cast<double>(KvBytesPerTokenPerDevice(d.model, d.split)) *
                          static_cast<double>(count * context);
        EXPECT_GE(compute->IterationSeconds(Decodes(count, context)),
                  (weights + kv) / d.device.memory_bandwidth_bytes_per_second);
      }
    }
    for (const int32_t tokens : {16, 100, 1000, 10000}) {
      const double pairs = 0.5 * tokens * (tokens + 1.0);
      const double attention =
          4.0 * d.model.num_layers * d.model.num_attention_heads * d.model.head_dim * pairs;
      const double flops = 2 * d.DenseParameters() * tokens + attention / d.split.tensor;
      EXPECT_GE(Prefill(*compute, tokens), flops / d.device.peak_flops) << tokens;
      EXPECT_GE(Prefill(*compute, tokens), weights / d.device.memory_bandwidth_bytes_per_second);
    }
  }
}

TEST(PhysicsOfBackendsTest, TwiceTheWorkIsNotFaster) {
  constexpr double kJump = 0.95;
  for (const Deployment& d : Deployments()) {
    SCOPED_TRACE(d.name);
    const auto compute = d.Compute(d.model, d.device);
    for (int32_t n = 1; n <= 1024; n *= 2) {
      const double once = compute->IterationSeconds(Decodes(n, 700));
      EXPECT_GE(compute->IterationSeconds(Decodes(2 * n, 700)), kJump * once) << n;
      EXPECT_GE(compute->IterationSeconds(Decodes(n, 1400)), kJump * once) << n;
      EXPECT_GE(Prefill(*compute, 2 * n), kJump * Prefill(*compute, n)) << n;
    }
  }
}

TEST(PhysicsOfBackendsTest, BetterFiguresNeverSlow) {
  for (const Deployment& d : Deployments()) {
    SCOPED_TRACE(d.name);
    const auto compute = d.Compute(d.model, d.device);
    DeviceConfig better = d.device;
    better.memory_bandwidth_bytes_per_second *= 2;
    const auto faster = d.Compute(d.model, better);
    for (const int32_t n : {1, 100, 2000}) {
      EXPECT_LE(faster->IterationSeconds(Decodes(n, 500)),
                compute->IterationSeconds(Decodes(n, 500)) * (1 + 1e-12));
      EXPECT_LE(Prefill(*faster, n), Prefill(*compute, n) * (1 + 1e-12));
    }
  }
}

TEST(PhysicsOfBackendsTest, LonePromptsGrowAndThroughputPlateaus) {
  for (const Deployment& d : Deployments()) {
    SCOPED_TRACE(d.name);
    const auto compute = d.Compute(d.model, d.device);
    EXPECT_GT(Prefill(*compute, 16384), 1.9 * Prefill(*compute, 8192));
    EXPECT_GT(Prefill(*compute, 32768), 1.9 * Prefill(*compute, 16384));
    const auto rate = [&](int32_t n) { return n / compute->IterationSeconds(Decodes(n, 2000)); };
    EXPECT_GT(rate(64), rate(1));
    EXPECT_LT(rate(16384), 1.1 * rate(8192));
  }
}

TEST(PhysicsOfBackendsTest, TheCacheIsOfKvHeads) {
  for (const Deployment& d : Deployments()) {
    if (d.model.num_kv_heads == d.model.num_attention_heads) continue;
    // Processors in memory compute as slowly as they read: there the arithmetic decides.
    if (d.device.peak_flops < 50 * d.device.memory_bandwidth_bytes_per_second) continue;
    SCOPED_TRACE(d.name);
    TransformerConfig multi_head = d.model;
    multi_head.num_kv_heads = d.model.num_attention_heads;
    EXPECT_GT(d.Compute(multi_head, d.device)->IterationSeconds(Decodes(256, 4000)),
              1.2 * d.Compute(d.model, d.device)->IterationSeconds(Decodes(256, 4000)));
  }
}

}  // namespace
}  // namespace tokensim
