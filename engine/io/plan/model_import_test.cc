#include "engine/io/plan/model_import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "engine/io/presets/catalog.h"
#include "engine/io/yaml/yaml.h"

namespace tokensim {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

fs::path Fixture(const std::string& name) {
  return fs::path(TOKENSIM_MODEL_CONFIGS_DIR) / (name + ".json");
}

ImportedModel Import(const std::string& name) {
  absl::StatusOr<ImportedModel> model = ImportModel(Fixture(name));
  EXPECT_TRUE(model.ok()) << name << ": " << model.status();
  return *std::move(model);
}

TEST(ModelImportTest, EveryFamilyGivesAModelWithSizes) {
  for (const auto& entry : fs::directory_iterator(TOKENSIM_MODEL_CONFIGS_DIR)) {
    const std::string name = entry.path().stem();
    if (entry.path().extension() != ".json" || name == "unknown" || name == "missing") continue;
    const ImportedModel imported = Import(name);
    EXPECT_GT(ParameterCount(imported.model), 2 * 64 * 1000 / 2) << name;
    EXPECT_LE(ActiveParameterCount(imported.model), ParameterCount(imported.model)) << name;
    EXPECT_GT(KvLayoutOf(imported.model, {}).SequenceBytes(100), 0) << name;
    // What is written is what was read.
    v1::Model again;
    const auto errors = ParseYaml(ToYaml(imported.message), "model.yaml", &again);
    ASSERT_TRUE(errors.empty()) << errors[0].ToString();
    EXPECT_EQ(again.SerializeAsString(), imported.message.SerializeAsString()) << name;
  }
}

// By hand: 64 hidden, 8 heads of which 2 with keys x 16, 128 wide, 1,000 words.
TEST(ModelImportTest, CountsAreThoseOfTheMatrices) {
  const int64_t ends = 2 * 64 * 1000 + 64;
  const int64_t attention = 64 * 16 * (8 + 2 + 2) + 8 * 16 * 64;
  EXPECT_EQ(ParameterCount(Import("llama").model), ends + 4 * (attention + 3 * 64 * 128 + 2 * 64));
  // Latent: queries over 48, keys and values over 32, of 16 + 8 and 16.
  const int64_t latent = 64 * 48 + 48 * 8 * 24 + 64 * 40 + 32 * 8 * 32 + 8 * 16 * 64 + 48 + 32;
  const int64_t expert = 3 * 64 * 32;
  EXPECT_EQ(
      ParameterCount(Import("deepseek_v3").model),
      ends + 4 * (latent + 2 * 64) + 3 * 64 * 128 + 3 * (16 * expert + 2 * expert + 64 * 16 + 16));
}

TEST(ModelImportTest, FilesAreFoundAndNamed) {
  const fs::path dir = fs::temp_directory_path() / ("model_import_" + std::to_string(getpid()));
  fs::create_directories(dir / "my-model");
  fs::copy_file(Fixture("llama"), dir / "my-model/config.json");
  fs::copy_file(Fixture("llama"), dir / "org--other_config.json");
  std::ofstream(dir / "org--other_hf_quant_config.json")
      << R"({"quantization": {"quant_algo": "FP8", "exclude_modules": ["lm_head"]}})";
  const auto plain = ImportModel(dir / "my-model/config.json");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->message.name(), "my-model");
  EXPECT_EQ(plain->message.weight_dtype(), v1::DATA_TYPE_BF16);
  const auto other = ImportModel(dir / "org--other_config.json");
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(other->message.name(), "other");
  EXPECT_EQ(other->message.source(), "config.json of org/other (Hugging Face)");
  EXPECT_EQ(other->message.weight_dtype(), v1::DATA_TYPE_FP8);
  EXPECT_EQ(ImportModel(dir / "none.json").status().code(), absl::StatusCode::kNotFound);
  fs::remove_all(dir);
}

TEST(ModelImportTest, EveryPresetIsAModel) {
  const std::vector<std::string> names = ModelPresetNames();
  EXPECT_GE(names.size(), 60u);
  for (const std::string& name : names) {
    const v1::Model* preset = FindModelPreset(name);
    ASSERT_NE(preset, nullptr) << name;
    EXPECT_FALSE(preset->source().empty()) << name;
    EXPECT_TRUE(preset->has_max_position_embeddings()) << name;
    const absl::StatusOr<Model> model = CheckModel(*preset);
    ASSERT_TRUE(model.ok()) << name << ": " << model.status();
    EXPECT_GT(ParameterCount(*model), 100'000'000) << name;
  }
}

// Counts of the tensors of checkpoints.
TEST(ModelImportTest, PresetsHaveTheParametersOfTheirCheckpoints) {
  const std::pair<const char*, double> published[] = {
      {"deepseek-v3", 671.03e9},     {"gpt-oss-120b", 116.79e9},
      {"gpt-oss-20b", 20.91e9},      {"kimi-k2", 1026.41e9},
      {"llama3.1-405b", 405.85e9},   {"mixtral-8x22b", 140.62e9},
      {"qwen3-14b", 14.77e9},        {"nemotron-3-super-120b-a12b", 120.66868736e9},
      {"gemma3-27b", 27.01e9},       {"qwen3-next-80b-a3b", 79.674391296e9},
      {"qwen3-235b-a22b", 235.09e9}, {"phi-4", 14.66e9},
      {"mistral-nemo-12b", 12.25e9}, {"glm-4.5", 352.80e9},
  };
  for (const auto& [name, count] : published) {
    const v1::Model* preset = FindModelPreset(name);
    ASSERT_NE(preset, nullptr) << name;
    const absl::StatusOr<Model> model = CheckModel(*preset);
    ASSERT_TRUE(model.ok());
    EXPECT_NEAR(static_cast<double>(ParameterCount(*model)), count, 1e-3 * count) << name;
  }
}

std::vector<std::string> Cells(const std::string& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return cells;
}

// The published counts of models, every one of which is read. Active counts are published with and
// without the ends, so that the nearest of the conventions counts.
TEST(ModelImportDataTest, ParameterCountsArePublishedOnes) {
  const char* given = std::getenv("TOKENSIM_DATA");
  const fs::path folder =
      fs::path(given != nullptr ? given : TOKENSIM_DEFAULT_DATA) / "model_configs";
  std::ifstream file(folder / "models.csv");
  if (!file)
    GTEST_SKIP() << "no " << folder << ": set TOKENSIM_DATA to the folder of measured data";
  std::string line;
  std::getline(file, line);
  int tested = 0;
  while (std::getline(file, line)) {
    const std::vector<std::string> cells = Cells(line);
    if (cells.size() < 9 || cells[1].empty()) continue;
    const absl::StatusOr<ImportedModel> imported = ImportModel(folder / cells[1]);
    ASSERT_TRUE(imported.ok()) << cells[1] << ": " << imported.status();
    const double total = 1e-9 * static_cast<double>(ParameterCount(imported->model));
    const double active = 1e-9 * static_cast<double>(ActiveParameterCount(imported->model));
    const double end = 1e-9 * imported->model.hidden_size * imported->model.vocab_size;
    const double published = std::stod(cells[2]);
    const auto error = [](double ours, double theirs) { return std::abs(ours / theirs - 1); };
    double active_error = 0;
    std::string active_text = "-";
    // The count of the row with both ends is to two decimals.
    if (!cells[8].empty()) active_error = error(active, std::stod(cells[8])) - 0.005 / active;
    if (!cells[3].empty()) {
      const double theirs = std::stod(cells[3]);
      const double nearest = std::min(
          {error(active, theirs), error(active - end, theirs), error(active - 2 * end, theirs)});
      active_text = cells[3];
      active_error = std::min(active_error, nearest);
      std::printf(
          "%-28s total %9.3f published %9.3f %+6.2f %%   active %8.3f published %8s %5.2f %%"
          "  %s\n",
          cells[0].c_str(), total, published, 100 * (total / published - 1), active,
          active_text.c_str(), 100 * nearest, cells[4].c_str());
    }
    if (cells[4] != "exact" && cells[4] != "yes") continue;
    ++tested;
    EXPECT_LE(error(total, published), 0.01) << cells[0];
    EXPECT_LE(active_error, 0.01) << cells[0];
  }
  EXPECT_GE(tested, 40);
}

TEST(ModelImportDataTest, EveryConfigIsRead) {
  const char* given = std::getenv("TOKENSIM_DATA");
  const fs::path folder =
      fs::path(given != nullptr ? given : TOKENSIM_DEFAULT_DATA) / "model_configs";
  if (!fs::is_directory(folder)) GTEST_SKIP() << "no " << folder;
  int read = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (!name.ends_with("_config.json") || name.ends_with("_hf_quant_config.json")) continue;
    const absl::StatusOr<ImportedModel> imported = ImportModel(entry.path());
    EXPECT_TRUE(imported.ok()) << name << ": " << imported.status();
    if (!imported.ok()) continue;
    std::printf("%-60s %10.3f GB of weights, %8lld B a token, %9lld B a sequence, %s\n",
                name.c_str(), 1e-9 * static_cast<double>(WeightBytesPerDevice(imported->model, {})),
                static_cast<long long>(KvLayoutOf(imported->model, {}).bytes_per_token()),
                static_cast<long long>(KvLayoutOf(imported->model, {}).state_bytes()),
                v1::DataType_Name(imported->message.weight_dtype()).c_str());
    ++read;
  }
  EXPECT_GE(read, 100);
}

}  // namespace
}  // namespace tokensim
