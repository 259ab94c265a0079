// Every file of configs/examples is a good specification.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/io/plan/test_specs.h"

namespace tokensim {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> Examples() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(TOKENSIM_EXAMPLES_DIR)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class ExamplesTest : public ::testing::TestWithParam<fs::path> {};

TEST_P(ExamplesTest, Prepares) {
  const v1::Spec spec = ParseSpec(ReadFile(GetParam()));
  const std::string dir = GetParam().parent_path().string();
  const std::string& trace = spec.workload().trace().path();
  if (!trace.empty() && !fs::exists(fs::path(dir) / trace)) {
    GTEST_SKIP() << "needs the data file " << trace;
  }
  const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::AnyPath(dir));
  EXPECT_TRUE(prepared.ok());
  EXPECT_NE(spec.name(), "");
  // A measured trace may have requests that are too long; the examples say so.
  // Not every kernel was measured on every device.
  if (trace.empty()) {
    EXPECT_THAT(Texts(prepared), ::testing::Each(::testing::HasSubstr("has no measurement of")));
  }
}

std::string TestName(const testing::TestParamInfo<fs::path>& example) {
  std::string name = example.param.stem().string();
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Configs, ExamplesTest, ::testing::ValuesIn(Examples()), TestName);

}  // namespace
}  // namespace tokensim
