// How far the tiled A100 is off kernels measured on one (vLLM 0.14.0, AIConfigurator), by operator.
// The data is not in the project: TOKENSIM_DATA, default ../shared/data; skipped where it is
// absent.
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "engine/compute/tiled/attention_tiles.h"
#include "engine/compute/tiled/gemm_mapper.h"
#include "engine/io/plan/test_presets.h"

namespace tokensim {
namespace {

std::filesystem::path Table(const std::string& kernel) {
  const char* data = std::getenv("TOKENSIM_DATA");
  return std::filesystem::path(data != nullptr ? data : TOKENSIM_DEFAULT_DATA) / "kernels" /
         ("a100_sxm__vllm_0.14.0__" + kernel + "_perf.csv.gz");
}

// The rows below the head. The last column is the latency in ms.
std::vector<std::vector<std::string>> Rows(const std::filesystem::path& path) {
  std::vector<std::vector<std::string>> rows;
  gzFile file = gzopen(path.c_str(), "r");
  char line[1024];
  while (gzgets(file, line, sizeof line) != nullptr) {
    std::istringstream fields(line);
    std::vector<std::string>& row = rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) row.push_back(field);
  }
  gzclose(file);
  rows.erase(rows.begin());
  return rows;
}

class Errors {
 public:
  void Add(double predicted, double measured) { errors_.push_back(predicted / measured - 1); }
  // Prints and checks the mean of the absolute and the median of the signed errors.
  void Report(const std::string& what, double worst_mean, double worst_median) {
    ASSERT_FALSE(errors_.empty());
    double sum = 0;
    for (const double e : errors_) sum += std::abs(e);
    const double mean = sum / static_cast<double>(errors_.size());
    const auto middle = errors_.begin() + static_cast<int64_t>(errors_.size() / 2);
    std::nth_element(errors_.begin(), middle, errors_.end());
    std::printf("%-44s %5zu kernels  mean |error| %5.1f %%  median %+5.1f %%\n", what.c_str(),
                errors_.size(), 100 * mean, 100 * *middle);
    EXPECT_LE(mean, worst_mean) << what;
    EXPECT_LE(std::abs(*middle), worst_median) << what;
  }

 private:
  std::vector<double> errors_;
};

class TiledDataTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(Table("gemm"))) {
      GTEST_SKIP() << "no " << Table("gemm")
                   << ": set TOKENSIM_DATA to the folder of measured data";
    }
  }
  AttentionTiles Attention(const std::vector<std::string>& row) const {
    return {machine_,
            {.heads = std::stoi(row[4]), .kv_heads = std::stoi(row[5])},
            std::stoi(row[6]),
            2};
  }
  static double Seconds(const std::vector<std::string>& row) {
    return 1e-3 * std::stod(row.back());
  }

  const TiledMachine machine_{ReadTiledPreset("a100-80g-tiled"),
                              ReadHardwarePreset("a100-80g-tiled")};
};

TEST_F(TiledDataTest, Gemm) {
  const GemmMapper mapper(machine_, 2, 1);
  Errors all;
  Errors of_models;
  for (const auto& row : Rows(Table("gemm"))) {
    const GemmShape shape = {
        .rows = std::stod(row[3]), .inner = std::stod(row[5]), .outer = std::stod(row[4])};
    const double seconds = machine_.launch_seconds + mapper.Map(shape).seconds;
    all.Add(seconds, Seconds(row));
    if (shape.inner >= 1024 && shape.outer >= 1024) of_models.Add(seconds, Seconds(row));
  }
  all.Report("GEMM", 0.12, 0.05);
  of_models.Report("GEMM, n and k >= 1,024", 0.10, 0.05);
}

TEST_F(TiledDataTest, PrefillAttention) {
  Errors all;
  Errors longer;
  for (const auto& row : Rows(Table("context_attention"))) {
    const std::vector<PrefillChunk> chunks(static_cast<size_t>(std::stoi(row[2])),
                                           {.new_tokens = std::stoi(row[3]), .history = 0});
    const double seconds = Attention(row).Prefill(chunks, 1);
    all.Add(seconds, Seconds(row));
    if (chunks[0].new_tokens >= 2048) longer.Add(seconds, Seconds(row));
  }
  all.Report("prefill attention", 0.13, 0.05);
  longer.Report("prefill attention, 2,048 tokens and more", 0.08, 0.05);
}

// FlashAttention does not split contexts when every head has its own keys; the model does.
TEST_F(TiledDataTest, DecodeAttention) {
  Errors all;
  Errors grouped;
  for (const auto& row : Rows(Table("generation_attention"))) {
    const int64_t count = std::stoi(row[2]);
    const int64_t context = std::stoi(row[10]) + 1;
    const double seconds = Attention(row).Decode(count, count * context, context, 1);
    all.Add(seconds, Seconds(row));
    if (row[4] != row[5]) grouped.Add(seconds, Seconds(row));
  }
  all.Report("decode attention", 0.21, 0.12);
  grouped.Report("decode attention, grouped queries", 0.18, 0.12);
}

}  // namespace
}  // namespace tokensim
