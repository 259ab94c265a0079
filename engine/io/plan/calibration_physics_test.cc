// No calibration that is shipped, on any device that is, makes an operator faster than the peaks of the
// device: neither fewer seconds than flops / peak nor than bytes / bandwidth.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "engine/compute/operators.h"
#include "engine/hardware/peak.h"
#include "engine/io/plan/features/hardware.h"
#include "engine/io/plan/features/model.h"
#include "engine/io/plan/features/model_plan.h"
#include "engine/io/plan/test_specs.h"
#include "engine/io/presets/catalog.h"

namespace tokensim {
namespace {

const PrefillChunk kLong{.new_tokens = 2048, .history = 0};
const PrefillChunk kShort{.new_tokens = 16, .history = 900};
const IterationShape kShapes[] = {
    {.decode_count = 1, .decode_context = 200, .sampled_count = 1},
    {.decode_count = 128, .decode_context = 128 * 1000, .sampled_count = 128},
    {.sampled_count = 1, .prefill_tokens = 2048, .prefill = {&kLong, 1}},
    {.decode_count = 60,
     .decode_context = 60 * 700,
     .sampled_count = 61,
     .prefill_tokens = 16,
     .prefill = {&kShort, 1}},
};

std::map<std::string, double> Seconds(const ComputeModel& model, const IterationShape& shape) {
  std::map<std::string, double> seconds;
  for (const OperatorTime& op : model.OperatorTimes(shape)) seconds[op.name] += op.seconds;
  return seconds;
}

// A worker of the device with the calibration, which may be none.
PreparedSpec Prepare(const std::string& model, const std::string& device,
                     const std::string& calibration) {
  const bool kernels = FindHardwarePreset(device)->kernels_size() > 0;
  return PrepareChanged({{"model", model},
                         {"workers[0].hardware", device},
                         {"workers[0].memory.kv_blocks", "10000"},
                         {"workers[0].compute", kernels ? "{kernels: {}}" : "{roofline: {}}"},
                         {"workers[0].calibration", calibration}});
}

void ExpectPhysical(const PreparedSpec& calibrated, const PreparedSpec& plain) {
  const v1::WorkerGroup& group = calibrated.resolved.workers(0);
  const DeviceConfig device = ToDevice(group.hardware());
  const Model model = ToModel(ModelOf(calibrated.resolved, group), group.memory().kv_cache_dtype());
  const TransformerOperators operators(model, {});
  for (const IterationShape& shape : kShapes) {
    const auto seconds = Seconds(*calibrated.plan->workers[0].compute, shape);
    const auto priced = Seconds(*plain.plan->workers[0].compute, shape);
    for (const Operator& op : operators.List(shape)) {
      const double peak = PeakFlops(op.format.number, device);
      const double least =
          op.repeats *
          std::max(op.flops / peak, op.bytes / device.memory_bandwidth_bytes_per_second);
      EXPECT_GE(seconds.at(op.name), std::min(priced.at(op.name), least) * (1 - 1e-9)) << op.name;
    }
  }
}

TEST(CalibrationPhysicsTest, NoPresetBeatsThePeaksOfAnyDevice) {
  for (const std::string& device : HardwarePresetNames()) {
    for (const std::string& preset : CalibrationPresetNames()) {
      for (const char* model : {"llama2-7b", "mixtral-8x7b"}) {
        SCOPED_TRACE(device + " with " + preset + ", " + model);
        // The front end is the spec's; a group takes the rest.
        const PreparedSpec calibrated =
            Prepare(model, device, "{preset: " + preset + ", request_seconds: null}");
        const PreparedSpec plain = Prepare(model, device, "{}");
        ASSERT_TRUE(calibrated.ok() && plain.ok());
        ExpectPhysical(calibrated, plain);
      }
    }
  }
}

// What a fit may try: every constant at its fastest.
TEST(CalibrationPhysicsTest, NoConstantsDo) {
  for (const std::string& device : HardwarePresetNames()) {
    SCOPED_TRACE(device);
    ExpectPhysical(Prepare("llama2-7b", device,
                           "{dense_factor: 0.5, prefill_dense_factor: 0.5, attention_factor: 0.5, "
                           "attention_launch_seconds: 20us}"),
                   Prepare("llama2-7b", device, "{}"));
  }
}

}  // namespace
}  // namespace tokensim
