// The shipped surfaces of the RTX PRO 6000 beside operators that others measured on another machine
// with that GPU (LLMServingSim 2.0, vLLM 0.19.0): nothing was fitted to these. Chunks behind a
// history are in no kernel table, so this is what checks how they are priced.
// The data is not in the project: TOKENSIM_DATA, default ../shared/data; skipped where it is
// absent.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "engine/compute/kernels/kernel_pricer.h"
#include "engine/compute/operators.h"
#include "engine/io/plan/test_presets.h"

namespace tokensim {
namespace {

std::filesystem::path Bundle(const std::string& model) {
  const char* data = std::getenv("TOKENSIM_DATA");
  return std::filesystem::path(data != nullptr ? data : TOKENSIM_DEFAULT_DATA) / "profiles" /
         "RTXPRO6000" / model / "bf16" / "tp1";
}

std::vector<std::vector<std::string>> Rows(const std::filesystem::path& path) {
  std::vector<std::vector<std::string>> rows;
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);  // the head
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::vector<std::string>& row = rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) row.push_back(field);
  }
  return rows;
}

class Errors {
 public:
  void Add(double seconds, double microseconds) {
    const double error = 1e6 * seconds / microseconds - 1;
    sum_ += std::abs(error);
    bias_ += error;
    ++count_;
  }
  void Report(const std::string& what, double worst) const {
    ASSERT_GT(count_, 10) << what;
    std::printf("%-40s %5d rows  mean |error| %5.1f %%  mean %+5.1f %%\n", what.c_str(), count_,
                100 * sum_ / count_, 100 * bias_ / count_);
    EXPECT_LT(sum_ / count_, worst) << what;
  }

 private:
  double sum_ = 0;
  double bias_ = 0;
  int count_ = 0;
};

// Largest mean errors.
struct Profile {
  const char* preset;
  const char* bundle;
  double dense;
  double decode;
  double prefill;
  double history;
};
constexpr Profile kProfiles[] = {
    {"llama3.1-8b", "meta-llama/Llama-3.1-8B", 0.06, 0.12, 0.075, 0.31},
    {"qwen3-32b", "Qwen/Qwen3-32B", 0.06, 0.13, 0.095, 0.27},
};

class ProfileDataTest : public ::testing::TestWithParam<Profile> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(bundle_)) {
      GTEST_SKIP() << "no " << bundle_ << ": set TOKENSIM_DATA to the folder of measured data";
    }
  }

  const std::filesystem::path bundle_ = Bundle(GetParam().bundle);
  const TransformerConfig model_ = ReadModelPreset(GetParam().preset);
  const std::string name_ = GetParam().preset;
  const std::unique_ptr<const OperatorPricer> pricer_ = MakeKernelPricer(
      model_, ReadHardwarePreset("rtx-pro-6000"), ReadKernelSurfaces("rtx-pro-6000"), {});
};

TEST_P(ProfileDataTest, Gemms) {
  const TransformerOperators operators(model_, {});
  Errors errors;
  for (const auto& row : Rows(bundle_ / "dense.csv")) {
    const std::string layer = row[0] == "o_proj" ? "out_proj" : row[0];
    std::vector<Operator> list;
    operators.AppendDense(std::stoi(row[1]), list);
    for (const Operator& op : list) {
      if (op.kind == OperatorKind::kGemm && op.name == layer) {
        errors.Add(pricer_->Seconds(op), std::stod(row[2]));
      }
    }
  }
  errors.Report(name_ + " GEMMs", GetParam().dense);
}

TEST_P(ProfileDataTest, Attention) {
  Errors decode;
  Errors prefill;
  Errors history;
  for (const auto& row : Rows(bundle_ / "attention.csv")) {
    const PrefillChunk chunk{.new_tokens = std::stoi(row[0]), .history = std::stoi(row[1])};
    const int32_t count = std::stoi(row[2]);
    const double microseconds = std::stod(row[4]);
    if (chunk.new_tokens == 0 && count > 0) {
      const IterationShape shape{.decode_count = count,
                                 .decode_context = int64_t{count} * std::stoi(row[3])};
      decode.Add(pricer_->Attention(shape, 1).decode, microseconds);
    } else if (chunk.new_tokens > 0 && count == 0) {
      const IterationShape shape{.prefill = {&chunk, 1}};
      (chunk.history == 0 ? prefill : history)
          .Add(pricer_->Attention(shape, 1).prefill, microseconds);
    }
  }
  decode.Report(name_ + " decode attention", GetParam().decode);
  prefill.Report(name_ + " prefill attention", GetParam().prefill);
  history.Report(name_ + " chunks behind a history", GetParam().history);
}

INSTANTIATE_TEST_SUITE_P(Models, ProfileDataTest, ::testing::ValuesIn(kProfiles),
                         [](const auto& profile) { return profile.index == 0 ? "llama" : "qwen"; });

}  // namespace
}  // namespace tokensim
