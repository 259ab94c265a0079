// Laws that hold for every shipped model on every shipped device, whatever the figures.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/compute/operators.h"
#include "engine/compute/preset_files.h"
#include "engine/compute/roofline.h"

namespace tokensim {
namespace {

constexpr int32_t kTokens = 2048;

IterationShape Decodes(int32_t count, int64_t context_each) {
  return {.decode_count = count, .decode_context = count * context_each, .sampled_count = count};
}

double Prefill(const ComputeModel& compute, int32_t tokens, int32_t history = 0) {
  const PrefillChunk chunk{.new_tokens = tokens, .history = history};
  return compute.IterationSeconds(
      {.sampled_count = 1, .prefill_tokens = tokens, .prefill = {&chunk, 1}});
}

// A model on devices of one kind that hold its weights.
struct Deployment {
  std::string name;
  TransformerConfig model;
  DeviceConfig device;
  int32_t devices = 1;
  std::unique_ptr<const ComputeModel> compute;

  [[nodiscard]] std::unique_ptr<const ComputeModel> With(const DeviceConfig& other) const {
    return MakeRooflineModel(model, other, devices, kTokens);
  }
  [[nodiscard]] double Decode(int32_t count, int64_t context_each) const {
    return compute->IterationSeconds(Decodes(count, context_each));
  }
  [[nodiscard]] double EmbeddingParameters() const {
    return 1.0 * model.vocab_size * model.hidden_size;
  }
  // Parameters of the matrices that one token is multiplied by, embedding and LM head left out.
  [[nodiscard]] double ActiveParameters() const {
    const double expert =
        (model.gated_mlp ? 3.0 : 2.0) * model.hidden_size * model.intermediate_size;
    const double idle = model.num_experts - model.experts_per_token;
    const double ends = (model.tie_word_embeddings ? 1.0 : 2.0) * EmbeddingParameters();
    const double norms = (2.0 * model.num_layers + 1) * model.hidden_size;
    return static_cast<double>(ParameterCount(model)) - ends - norms -
           model.num_layers * idle * expert;
  }
};

// Every model on 1, 2, 4 and 8 of every device, where it fits.
std::vector<Deployment> Deployments() {
  std::vector<Deployment> deployments;
  for (const ModelPreset& model : ReadModelPresets()) {
    for (const HardwarePreset& hardware : ReadHardwarePresets()) {
      for (int32_t devices = 1; devices <= 8; devices *= 2) {
        const double memory = 0.9 * static_cast<double>(hardware.config.memory_bytes);
        if (model.config.num_attention_heads % devices != 0) continue;
        if (static_cast<double>(WeightBytesPerDevice(model.config, devices)) > memory) continue;
        Deployment d{model.file + " on " + std::to_string(devices) + " x " + hardware.file,
                     model.config, hardware.config, devices, nullptr};
        d.compute = d.With(d.device);
        deployments.push_back(std::move(d));
      }
    }
  }
  return deployments;
}

TEST(PhysicsTest, NoIterationBeatsTheMemory) {
  for (const Deployment& d : Deployments()) {
    SCOPED_TRACE(d.name);
    const double weights = (d.ActiveParameters() + d.EmbeddingParameters()) / d.devices *
                           d.model.weight_bytes_per_parameter;
    for (const int32_t count : {1, 8, 64, 256}) {
      for (const int64_t context : {1, 100, 2000}) {
        const double kv = static_cast<double>(KvBytesPerTokenPerDevice(d.model, d.devices)) *
                          static_cast<double>(count * context);
        EXPECT_GE(d.Decode(count, context),
                  (weights + kv) / d.device.memory_bandwidth_bytes_per_second);
      }
    }
    EXPECT_GE(Prefill(*d.compute, 16), weights / d.device.memory_bandwidth_bytes_per_second);
  }
}

TEST(PhysicsTest, NoIterationBeatsTheArithmetic) {
  for (const Deployment& d : Deployments()) {
    SCOPED_TRACE(d.name);
    for (const int32_t tokens : {1, 100, 1000, 10000}) {
      const double pairs = 0.5 * tokens * (tokens + 1.0);
      const double attention =
          4.0 * d.model.num_layers * d.model.num_attention_heads * d.model.head_dim * pairs;
      const double flops =
          2 * d.ActiveParameters() * tokens + 2 * d.EmbeddingParameters() + attention;
      EXPECT_GE(Prefill(*d.compute, tokens), flops / d.devices / d.device.peak_flops) << tokens;
    }
  }
}

TEST(PhysicsTest, MoreWorkIsNeverFaster) {
  for (const Deployment& d : Deployments()) {
    SCOPED_TRACE(d.name);
    constexpr double kRounding = 1 - 1e-12;
    double last = 0;
    for (int32_t count = 1; count <= kTokens + 64; ++count) {
      const double seconds = d.Decode(count, 700);
      EXPECT_GE(seconds, last * kRounding) << count;
      last = seconds;
    }
    EXPECT_GT(last, d.Decode(1, 700));
    EXPECT_LE(d.Decode(64, 10), d.Decode(64, 1000));
    EXPECT_LT(d.Decode(64, 1000), d.Decode(64, 100000));
    EXPECT_LE(Prefill(*d.compute, 512, 0), Prefill(*d.compute, 512, 512));
    EXPECT_LT(Prefill(*d.compute, 512, 512), Prefill(*d.compute, 512, 100000));
  }
}

TEST(PhysicsTest, BetterFiguresNeverSlow) {
  for (const Deployment& d : Deployments()) {
    SCOPED_TRACE(d.name);
    DeviceConfig bandwidth = d.device;
    bandwidth.memory_bandwidth_bytes_per_second *= 2;
    DeviceConfig peak = d.device;
    peak.peak_flops *= 2;
    DeviceConfig link = d.device;
    link.interconnect.bandwidth_bytes_per_second *= 2;
    for (const DeviceConfig& better : {bandwidth, peak, link}) {
      const auto faster = d.With(better);
      for (const int32_t count : {1, 100, 2000}) {
        EXPECT_LE(faster->IterationSeconds(Decodes(count, 500)), d.Decode(count, 500));
        EXPECT_LE(Prefill(*faster, count), Prefill(*d.compute, count));
      }
    }
    EXPECT_LT(d.With(bandwidth)->IterationSeconds(Decodes(1, 500)), d.Decode(1, 500));
    EXPECT_LT(Prefill(*d.With(peak), 16384), Prefill(*d.compute, 16384));
  }
}

// Beyond the compute-bound point each further token costs as much as the last, or more (attention).
TEST(PhysicsTest, LonePromptGrowsAtLeastLinearly) {
  for (const Deployment& d : Deployments()) {
    SCOPED_TRACE(d.name);
    const double p1 = Prefill(*d.compute, 8192);
    const double p2 = Prefill(*d.compute, 16384);
    const double p4 = Prefill(*d.compute, 32768);
    EXPECT_GE(p4 - p2, 2 * (p2 - p1) * (1 - 1e-9));
    EXPECT_GT(p2, 1.9 * p1);
  }
}

TEST(PhysicsTest, ThroughputPlateausWithConcurrency) {
  for (const Deployment& d : Deployments()) {
    SCOPED_TRACE(d.name);
    constexpr int64_t kContext = 2000;
    double last = 0;
    for (int32_t count = 1; count <= 16384; count *= 2) {
      const double rate = count / d.Decode(count, kContext);
      EXPECT_GE(rate, last * (1 - 1e-12)) << count;
      EXPECT_LE(rate, 2 * last + (count == 1 ? rate : 0)) << count;
      last = rate;
    }
    EXPECT_LT(last, 1.05 * (8192 / d.Decode(8192, kContext)));
  }
}

TEST(PhysicsTest, SplittingOverDevicesDividesTheCompute) {
  for (const Deployment& d : Deployments()) {
    SCOPED_TRACE(d.name);
    const TransformerOperators one(d.model, 1);
    const TransformerOperators split(d.model, d.devices);
    const PrefillChunk chunk{.new_tokens = 1000, .history = 24};
    const IterationShape shape{.decode_count = 9,
                               .decode_context = 999,
                               .sampled_count = 10,
                               .prefill_tokens = 1000,
                               .prefill = {&chunk, 1}};
    double whole = 0;
    double part = 0;
    for (const Operator& op : one.List(shape)) whole += op.repeats * op.flops;
    for (const Operator& op : split.List(shape)) part += op.repeats * op.flops;
    // The router, and KV heads fewer than devices, are computed on every device.
    const double row = 2.0 * 1009 * d.model.num_layers * d.model.hidden_size;
    const double router = row * d.model.num_experts;
    const double kv_head = row * 2 * d.model.head_dim;
    const double copies = std::max(0, d.devices - d.model.num_kv_heads);
    const double expected = (whole - router + copies * kv_head) / d.devices + router;
    EXPECT_NEAR(part, expected, 1e-12 * expected);
  }
}

}  // namespace
}  // namespace tokensim
