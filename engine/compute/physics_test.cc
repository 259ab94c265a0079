// Laws that hold for every shipped model on every shipped device, whatever the figures.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/test_cases.h"
#include "engine/compute/operators.h"
#include "engine/compute/roofline.h"
#include "engine/io/plan/test_presets.h"

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
  ParallelismConfig split;
  std::unique_ptr<const ComputeModel> compute;

  [[nodiscard]] std::unique_ptr<const ComputeModel> With(const DeviceConfig& other) const {
    return MakeRooflineModel(model, other, split, kTokens);
  }
  [[nodiscard]] double Decode(int32_t count, int64_t context_each) const {
    return compute->IterationSeconds(Decodes(count, context_each));
  }
  [[nodiscard]] int32_t devices() const { return split.tensor * split.pipeline; }
  // Pieces that a large batch is computed in.
  [[nodiscard]] int32_t parts() const { return split.pipeline > 1 ? split.micro_batches : 1; }
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

// The ways to split a model over up to 8 devices.
std::vector<ParallelismConfig> Splits(const TransformerConfig& model) {
  std::vector<ParallelismConfig> splits;
  for (int32_t devices = 1; devices <= 8; devices *= 2) {
    splits.push_back({.tensor = devices});
    if (devices > 1 && model.num_experts > 0) {
      splits.push_back({.tensor = devices, .expert = devices});
    }
  }
  splits.push_back({.pipeline = 2, .micro_batches = 2});
  splits.push_back({.pipeline = 4, .micro_batches = 4});
  splits.push_back({.tensor = 2, .pipeline = 4, .micro_batches = 8});
  if (model.num_experts > 0) {
    splits.push_back({.tensor = 4, .pipeline = 2, .expert = 4, .micro_batches = 2});
  }
  return splits;
}

// Every model on every device, in every split that fits; an even part of them where Sample says so.
std::vector<Deployment> Deployments() {
  std::vector<Deployment> deployments;
  for (const ModelPreset& model : ReadModelPresets()) {
    for (const HardwarePreset& hardware : ReadHardwarePresets()) {
      const double memory = 0.9 * static_cast<double>(hardware.config.memory_bytes);
      for (const ParallelismConfig& split : Splits(model.config)) {
        if (model.config.num_attention_heads % split.tensor != 0) continue;
        const bool linked = hardware.config.interconnect.bandwidth_bytes_per_second > 0;
        if (!linked && split.tensor * split.pipeline > 1) continue;
        if (static_cast<double>(WeightBytesPerDevice(model.config, split)) > memory) continue;
        Deployment d{model.file + " on " + std::to_string(split.tensor) + " x " +
                         std::to_string(split.pipeline) + " " + hardware.file,
                     model.config, hardware.config, split, nullptr};
        d.compute = d.With(d.device);
        deployments.push_back(std::move(d));
      }
    }
  }
  return Sample(std::move(deployments));
}

TEST(PhysicsTest, NoIterationBeatsTheMemory) {
  for (const Deployment& d : Deployments()) {
    SCOPED_TRACE(d.name);
    const double weights = (d.ActiveParameters() + d.EmbeddingParameters()) / d.devices() *
                           d.model.weight_bytes_per_parameter;
    for (const int32_t count : {1, 8, 64, 256}) {
      for (const int64_t context : {1, 100, 2000}) {
        const double kv = static_cast<double>(KvBytesPerTokenPerDevice(d.model, d.split)) *
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
      EXPECT_GE(Prefill(*d.compute, tokens), flops / d.devices() / d.device.peak_flops) << tokens;
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
    const double p1 = Prefill(*d.compute, 8192 * d.parts());
    const double p2 = Prefill(*d.compute, 16384 * d.parts());
    const double p4 = Prefill(*d.compute, 32768 * d.parts());
    EXPECT_GE(p4 - p2, 2 * (p2 - p1) * (1 - 1e-9));
    EXPECT_GT(p2, 1.9 * p1);
  }
}

TEST(PhysicsTest, ThroughputPlateausWithConcurrency) {
  for (const Deployment& d : Deployments()) {
    SCOPED_TRACE(d.name);
    constexpr int64_t kContext = 2000;
    double last = 0;
    const int32_t most = 16384 * d.parts();
    for (int32_t count = 1; count <= most; count *= 2) {
      const double rate = count / d.Decode(count, kContext);
      EXPECT_GE(rate, last * (1 - 1e-12)) << count;
      EXPECT_LE(rate, 2 * last + (count == 1 ? rate : 0)) << count;
      last = rate;
    }
    EXPECT_LT(last, 1.05 * (most / 2 / d.Decode(most / 2, kContext)));
  }
}

TEST(PhysicsTest, SplittingOverDevicesDividesTheCompute) {
  for (const Deployment& d : Deployments()) {
    SCOPED_TRACE(d.name);
    const TransformerOperators one(d.model, {});
    const TransformerOperators split(d.model, d.split);
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
    part /= d.split.pipeline;
    // The router, and KV heads fewer than devices, are computed on every device.
    const double row = 2.0 * 1009 * d.model.num_layers * d.model.hidden_size;
    const double router = row * d.model.num_experts;
    const double kv_head = row * 2 * d.model.head_dim;
    const double copies = std::max(0, d.split.tensor - d.model.num_kv_heads);
    const double expected =
        ((whole - router + copies * kv_head) / d.split.tensor + router) / d.split.pipeline;
    EXPECT_NEAR(part, expected, 1e-12 * expected);
  }
}

// A batch passes through all stages, so the weights of all of them are read before it is done.
TEST(PhysicsTest, StagesDoNotShortenThePass) {
  for (const Deployment& d : Deployments()) {
    if (d.split.pipeline == 1) continue;
    SCOPED_TRACE(d.name);
    const ParallelismConfig one_stage = {.tensor = d.split.tensor, .expert = d.split.expert};
    const auto whole = MakeRooflineModel(d.model, d.device, one_stage, kTokens);
    const double single = whole->IterationSeconds(Decodes(1, 500));
    EXPECT_GT(d.Decode(1, 500), single);
    // With enough work the stages share it: faster than one stage, by no more than their number.
    const double ideal = Prefill(*whole, 32768) / d.split.pipeline;
    EXPECT_LT(Prefill(*d.compute, 32768), Prefill(*whole, 32768));
    EXPECT_GT(Prefill(*d.compute, 32768), ideal);
  }
}

TEST(PhysicsTest, OperatorTimesEndWithTheIteration) {
  const PrefillChunk chunks[] = {{.new_tokens = 100, .history = 0},
                                 {.new_tokens = 61, .history = 700}};
  const IterationShape shapes[] = {
      Decodes(1, 500),
      Decodes(77, 500),
      {.decode_count = 5,
       .decode_context = 900,
       .padding_count = 2,
       .sampled_count = 8,
       .prefill_tokens = 161,
       .prefill = chunks},
      {.prefill_tokens = 161, .prefill = chunks},
  };
  for (const Deployment& d : Deployments()) {
    SCOPED_TRACE(d.name);
    DeviceConfig device = d.device;
    device.iteration_overhead_seconds = 1e-3;
    const auto compute = d.With(device);
    const std::vector<std::string> names = compute->OperatorNames();
    for (const IterationShape& shape : shapes) {
      const std::vector<OperatorTime> times = compute->OperatorTimes(shape);
      const double end = compute->IterationSeconds(shape);
      EXPECT_NEAR(times.back().end_seconds(), end, end * 1e-12);
      double last = d.split.pipeline == 1 ? 1e-3 : 0;
      int32_t layers = 0;
      for (const OperatorTime& op : times) {
        EXPECT_GE(op.start_seconds, last * (1 - 1e-12)) << op.name;
        if (d.split.pipeline == 1) {
          EXPECT_EQ(op.start_seconds, last) << op.name;
        }
        last = op.end_seconds();
        if (std::string(op.name) == "qkv_proj") {
          EXPECT_EQ(op.layer, layers++);
        }
        EXPECT_NE(std::find(names.begin(), names.end(), op.name), names.end()) << op.name;
      }
      EXPECT_EQ(layers, d.model.num_layers);
    }
  }
}

}  // namespace
}  // namespace tokensim
