#include "engine/io/presets/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include "engine/io/plan/prepare.h"
#include "engine/io/presets/embedded.h"
#include "engine/io/yaml/yaml.h"

namespace tokensim {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

// The message of a preset file, as text.
template <typename Message>
std::string ReadPreset(const std::string& file) {
  const std::string path = std::string(TOKENSIM_CONFIGS_DIR) + "/" + file;
  std::ifstream stream(path);
  std::stringstream text;
  text << stream.rdbuf();
  Message message;
  for (const YamlError& e : ParseYaml(text.str(), path, &message)) ADD_FAILURE() << e.ToString();
  return message.DebugString();
}

// A spec that uses the presets; huge devices, so that every model fits.
v1::Spec SpecOf(const std::string& model, const std::string& hardware, const std::string& lengths) {
  v1::Spec spec;
  spec.mutable_model()->set_preset(model);
  spec.mutable_local_scheduler()->set_max_model_len(2048);
  spec.add_workers()->mutable_hardware()->set_preset(hardware);
  spec.mutable_workload()->set_num_requests(10);
  spec.mutable_workload()->mutable_arrival()->mutable_poisson()->set_rate_per_second(1);
  spec.mutable_workload()->mutable_lengths()->set_preset(lengths);
  return spec;
}

std::vector<std::string> Messages(const PreparedSpec& prepared) {
  std::vector<std::string> messages;
  for (const v1::Finding& f : prepared.findings) messages.push_back(f.field() + ": " + f.message());
  return messages;
}

TEST(CatalogTest, PresetsAreWhatTheirFilesSay) {
  EXPECT_EQ(FindModelPreset("mixtral-8x7b")->DebugString(),
            ReadPreset<v1::Model>("models/mixtral-8x7b.yaml"));
  EXPECT_EQ(FindHardwarePreset("h100")->DebugString(),
            ReadPreset<v1::Hardware>("hardware/h100.yaml"));
  EXPECT_EQ(FindLinkPreset("nvlink4")->DebugString(),
            ReadPreset<v1::Interconnect>("links/nvlink4.yaml"));
  EXPECT_EQ(FindLengthsPreset("sharegpt")->DebugString(),
            ReadPreset<v1::Lengths>("workloads/sharegpt.yaml"));
  EXPECT_EQ(FindCalibrationPreset("h100-vllm-0.15")->DebugString(),
            ReadPreset<v1::Calibration>("calibrations/h100-vllm-0.15.yaml"));
  EXPECT_EQ(FindEnginePreset("vllm-0.23")->DebugString(),
            ReadPreset<v1::Engine>("engines/vllm-0.23.yaml"));
}

TEST(CatalogTest, EveryEmbeddedPresetIsFound) {
  for (const EmbeddedPreset& preset : EmbeddedPresets()) {
    const bool found =
        FindModelPreset(preset.name) != nullptr || FindHardwarePreset(preset.name) != nullptr ||
        FindKernelPreset(preset.name) != nullptr || FindLinkPreset(preset.name) != nullptr ||
        FindLengthsPreset(preset.name) != nullptr ||
        FindCalibrationPreset(preset.name) != nullptr || FindEnginePreset(preset.name) != nullptr;
    EXPECT_TRUE(found) << preset.folder << "/" << preset.name;
  }
}

TEST(CatalogTest, TheModelsHardwareAndLengthsOfTheProjectAreThere) {
  EXPECT_THAT(
      ModelPresetNames(),
      IsSupersetOf({"llama2-7b", "llama2-13b", "llama2-70b", "llama3.1-8b", "llama3.1-70b",
                    "opt-13b", "mixtral-8x7b", "qwen3-32b", "qwen3-30b-a3b", "codellama-34b"}));
  EXPECT_THAT(HardwarePresetNames(),
              IsSupersetOf({"a100-40g", "a100-80g", "h100",   "h100-pcie",    "h100-nvl",
                            "h200",     "b200",     "b300",   "gb200",        "gb300",
                            "l4",       "l40s",     "v100",   "rtx-pro-6000", "rtx-pro-6000-server",
                            "rtx-4090", "mi300x",   "mi325x", "mi355x",       "tpu-v4",
                            "tpu-v5e",  "tpu-v6e",  "tpu-v7", "gddr6-aim"}));
  EXPECT_THAT(LengthsPresetNames(), Contains("sharegpt"));
  EXPECT_THAT(CalibrationPresetNames(), IsSupersetOf({"h100-vllm-0.15", "rtx-pro-6000-vllm-0.19"}));
  EXPECT_EQ(FindModelPreset("llama"), nullptr);
}

// Not every kernel was measured on every device.
const auto kNothingButGaps = Each(HasSubstr("has no measurement of"));

TEST(CatalogTest, EveryModelResolvesWithoutFindings) {
  for (const std::string& name : ModelPresetNames()) {
    v1::Spec spec = SpecOf(name, "h200", "sharegpt");
    // Of one device that has room for any of them.
    spec.mutable_workers(0)->mutable_hardware()->set_memory_bytes(int64_t{8} << 40);
    const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::NoPaths());
    EXPECT_THAT(Messages(prepared), kNothingButGaps) << name;
    // The resolved one is its own resolution.
    const PreparedSpec again = PrepareSpec(prepared.resolved, TracePolicy::NoPaths());
    EXPECT_THAT(Messages(again), kNothingButGaps) << name;
    EXPECT_EQ(again.digest, prepared.digest) << name;
  }
}

TEST(CatalogTest, EveryHardwareResolvesWithoutFindings) {
  for (const std::string& name : HardwarePresetNames()) {
    v1::Spec spec = SpecOf("llama2-7b", name, "sharegpt");
    // A preset without a link says that it was not looked up.
    if (FindHardwarePreset(name)->has_interconnect()) {
      spec.mutable_workers(0)->mutable_parallelism()->set_tensor(2);
    }
    // 13 GB of weights do not fit the smallest beside a cache.
    if (FindHardwarePreset(name)->memory_bytes() < int64_t{20} << 30) {
      spec.mutable_model()->set_weight_dtype(v1::DATA_TYPE_FP8);
    }
    EXPECT_THAT(Messages(PrepareSpec(spec, TracePolicy::NoPaths())), kNothingButGaps) << name;
  }
}

TEST(CatalogTest, SurfacesAreOfHardware) {
  EXPECT_THAT(HardwarePresetNames(), IsSupersetOf(KernelPresetNames()));
  for (const std::string& name : KernelPresetNames()) {
    v1::Hardware rest = *FindKernelPreset(name);
    EXPECT_GT(rest.kernels_size(), 0) << name;
    for (const v1::EfficiencySurface& surface : rest.kernels()) {
      EXPECT_NE(surface.source(), "") << name;
      EXPECT_TRUE(surface.has_error()) << name << " " << surface.kernel();
    }
    rest.clear_kernels();
    EXPECT_EQ(rest.ByteSizeLong(), 0u) << name << " has more than surfaces";
    EXPECT_EQ(FindHardwarePreset(name)->kernels_size(), 0) << name;
  }
}

TEST(CatalogTest, EveryLengthsPresetResolvesWithoutFindings) {
  for (const std::string& name : LengthsPresetNames()) {
    EXPECT_THAT(Messages(PrepareSpec(SpecOf("llama2-7b", "h200", name), TracePolicy::NoPaths())),
                IsEmpty())
        << name;
  }
}

TEST(CatalogTest, EveryPresetStatesItsSource) {
  const v1::Catalog catalog = BuildCatalog();
  for (const v1::Model& model : catalog.models()) {
    EXPECT_NE(model.name(), "") << model.preset();
    EXPECT_NE(model.source(), "") << model.preset();
  }
  for (const v1::Hardware& hardware : catalog.hardware()) {
    EXPECT_NE(hardware.name(), "") << hardware.preset();
    EXPECT_NE(hardware.source(), "") << hardware.preset();
  }
  for (const v1::Lengths& lengths : catalog.lengths()) {
    EXPECT_NE(lengths.description(), "") << lengths.preset();
    EXPECT_EQ(lengths.source_case(), v1::Lengths::SOURCE_NOT_SET) << lengths.preset();
  }
}

TEST(CatalogTest, ListsWhatSpecsCanName) {
  const v1::Catalog catalog = BuildCatalog();
  const auto names = [](const auto& entries) {
    std::vector<std::string> out;
    for (const v1::PolicyEntry& entry : entries) {
      EXPECT_NE(entry.description(), "") << entry.name();
      out.push_back(entry.name());
    }
    return out;
  };
  EXPECT_EQ(catalog.models_size(), static_cast<int>(ModelPresetNames().size()));
  EXPECT_THAT(names(catalog.local_schedulers()),
              IsSupersetOf({"chunked", "orca", "static", "vllm_v0"}));
  EXPECT_THAT(names(catalog.queue_orders()), IsSupersetOf({"fcfs", "fair"}));
  EXPECT_THAT(names(catalog.breakpoints()), IsSupersetOf({"dispatch", "prefill", "iteration"}));
  EXPECT_THAT(names(catalog.global_schedulers()), IsSupersetOf({"round_robin", "least_requests"}));
  EXPECT_THAT(names(catalog.trace_formats()), IsSupersetOf({"azure_csv", "mooncake_jsonl"}));
  // Every member of Compute's oneof is one of them, but the one for those without a member.
  const auto* backend = v1::Compute::descriptor()->FindOneofByName("backend");
  std::vector<std::string> backends;
  for (int i = 0; i < backend->field_count(); ++i) {
    if (backend->field(i)->name() != "named") backends.push_back(backend->field(i)->name());
  }
  EXPECT_THAT(names(catalog.compute_backends()), IsSupersetOf(backends));
  EXPECT_THAT(names(catalog.preemption_victims()), Contains("last_admitted"));
  EXPECT_THAT(names(catalog.evictions()), Contains("lru"));
  EXPECT_THAT(names(catalog.sharing_rules()), Contains("fair"));
  const auto affinity =
      std::find_if(catalog.global_schedulers().begin(), catalog.global_schedulers().end(),
                   [](const v1::PolicyEntry& entry) { return entry.name() == "prefix_affinity"; });
  ASSERT_NE(affinity, catalog.global_schedulers().end());
  ASSERT_EQ(affinity->parameters_size(), 1);
  EXPECT_EQ(affinity->parameters(0).name(), "affinity_load_factor");
  EXPECT_EQ(affinity->parameters(0).default_value(), "2");
  EXPECT_EQ(affinity->parameters(0).allowed(), "above 1, at most 1e+06");
  EXPECT_NE(affinity->parameters(0).description(), "");
}

TEST(CatalogTest, ThreadsMayAskAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (const std::string& name : HardwarePresetNames()) {
        EXPECT_NE(FindHardwarePreset(name), nullptr);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace tokensim
