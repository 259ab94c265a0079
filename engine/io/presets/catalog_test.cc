#include "engine/io/presets/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "engine/io/plan/prepare.h"
#include "engine/io/presets/embedded.h"
#include "engine/io/yaml/yaml.h"

namespace tokensim {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

void ExpectParses(const EmbeddedFile& file, google::protobuf::Message* message) {
  for (const YamlError& e : ParseYaml(file.text, std::string(file.name), message)) {
    ADD_FAILURE() << file.folder << "/" << e.ToString();
  }
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

TEST(CatalogTest, EveryEmbeddedFileParses) {
  for (const EmbeddedFile& file : EmbeddedFiles()) {
    v1::Model model;
    v1::Hardware hardware;
    v1::Interconnect link;
    v1::Lengths lengths;
    v1::Calibration calibration;
    if (file.folder == "models") {
      ExpectParses(file, &model);
    } else if (file.folder == "hardware") {
      ExpectParses(file, &hardware);
    } else if (file.folder == "links") {
      ExpectParses(file, &link);
    } else if (file.folder == "calibrations") {
      ExpectParses(file, &calibration);
    } else {
      ExpectParses(file, &lengths);
    }
  }
}

TEST(CatalogTest, TheModelsHardwareAndLengthsOfTheProjectAreThere) {
  EXPECT_THAT(
      ModelPresetNames(),
      IsSupersetOf({"llama2-7b", "llama2-13b", "llama2-70b", "llama3.1-8b", "llama3.1-70b",
                    "opt-13b", "mixtral-8x7b", "qwen3-32b", "qwen3-30b-a3b", "codellama-34b"}));
  EXPECT_THAT(HardwarePresetNames(),
              IsSupersetOf({"a100-40g", "a100-80g", "h100", "h200", "l40s", "v100", "rtx-pro-6000",
                            "rtx-4090", "gddr6-aim"}));
  EXPECT_THAT(LengthsPresetNames(), Contains("sharegpt"));
  EXPECT_THAT(CalibrationPresetNames(), IsSupersetOf({"h100-vllm-0.15", "rtx-pro-6000-vllm-0.19"}));
  EXPECT_EQ(FindModelPreset("llama"), nullptr);
}

TEST(CatalogTest, EveryModelResolvesWithoutFindings) {
  for (const std::string& name : ModelPresetNames()) {
    v1::Spec spec = SpecOf(name, "h200", "sharegpt");
    spec.mutable_workers(0)->mutable_parallelism()->set_tensor(4);
    EXPECT_THAT(Messages(PrepareSpec(spec, TracePolicy::NoPaths())), IsEmpty()) << name;
  }
}

TEST(CatalogTest, EveryHardwareResolvesWithoutFindings) {
  for (const std::string& name : HardwarePresetNames()) {
    v1::Spec spec = SpecOf("llama2-7b", name, "sharegpt");
    spec.mutable_workers(0)->mutable_parallelism()->set_tensor(2);
    EXPECT_THAT(Messages(PrepareSpec(spec, TracePolicy::NoPaths())), IsEmpty()) << name;
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
