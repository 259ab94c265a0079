#include "clients/cli/spec_input.h"

#include <gtest/gtest.h>

namespace tokensim::cli {
namespace {

v1::Finding MakeFinding(const std::string& field) {
  v1::Finding finding;
  finding.set_field(field);
  finding.set_message("too small");
  return finding;
}

TEST(FindingText, PointsToTheNearestLine) {
  SpecInput input;
  input.file = "spec.yaml";
  input.lines = {
      {"workers", 3}, {"workers[1]", 7}, {"workers[1].hardware", 8}, {"workers[10]", 90}};
  EXPECT_EQ(FindingText(input, MakeFinding("workers[1].hardware.memory_bytes")),
            "spec.yaml:8: workers[1].hardware.memory_bytes: too small");
  EXPECT_EQ(FindingText(input, MakeFinding("workers[1].count")),
            "spec.yaml:7: workers[1].count: too small");
  EXPECT_EQ(FindingText(input, MakeFinding("workers[2]")), "spec.yaml:3: workers[2]: too small");
  EXPECT_EQ(FindingText(input, MakeFinding("model")), "spec.yaml: model: too small");
  EXPECT_EQ(FindingText(input, MakeFinding("")), "spec.yaml: too small");
}

TEST(FindingText, NamesSetWhenTheFieldCameFromThere) {
  SpecInput input;
  input.file = "spec.yaml";
  input.lines = {{"workers[0].count", 4}};
  input.set_paths = {"workers[0].count"};
  EXPECT_EQ(FindingText(input, MakeFinding("workers[0].count")),
            "--set: workers[0].count: too small");
}

TEST(FindingText, MarksWarnings) {
  SpecInput input;
  input.file = "spec.yaml";
  v1::Finding finding = MakeFinding("seed");
  finding.set_severity(v1::Finding::WARNING);
  EXPECT_EQ(FindingText(input, finding), "spec.yaml: seed: warning: too small");
}

}  // namespace
}  // namespace tokensim::cli
