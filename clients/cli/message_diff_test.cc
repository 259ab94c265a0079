#include "clients/cli/message_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clients/cli/message_walk.h"
#include "engine/io/yaml/yaml.h"
#include "tokensim/v1/report.pb.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim::cli {
namespace {

using ::testing::ElementsAre;

v1::Spec Spec(const std::string& yaml) {
  v1::Spec spec;
  EXPECT_TRUE(ParseYaml(yaml, "spec.yaml", &spec).empty());
  return spec;
}

TEST(DiffMessages, NamesWhatDiffers) {
  const v1::Spec a = Spec("name: one\nworkers: [{name: gpu, count: 2}]\nseed: 3");
  const v1::Spec b = Spec("name: two\nworkers: [{name: gpu, count: 4}, {name: more}]\nseed: 3");
  const auto found = DiffMessages(a, b);
  ASSERT_GE(found.size(), 3U);
  EXPECT_EQ(found[0], (FieldDifference{"name", "one", "two"}));
  EXPECT_THAT(found, ::testing::Contains(FieldDifference{"workers[0].count", "2", "4"}));
  EXPECT_THAT(found, ::testing::Contains(FieldDifference{"workers[1].name", "", "more"}));
}

TEST(DiffMessages, EqualMessagesDoNotDiffer) {
  v1::Report report;
  Fill(&report);
  EXPECT_THAT(DiffMessages(report, report), ElementsAre());
}

TEST(DiffMessages, NoticesEveryFieldOfAReport) {
  v1::Report report;
  Fill(&report);
  v1::Report other = report;
  int64_t leaves = 0;
  ForEachLeaf(&other, [&](const Leaf& leaf) {
    ++leaves;
    leaf.Set(1'000'000 + leaves);
  });
  const auto found = DiffMessages(report, other);
  // An enum of few values may come back to the one it had.
  EXPECT_GE(static_cast<int64_t>(found.size()), leaves - 5);
}

TEST(DiffMessages, AMessageThatOneLacks) {
  v1::Report a;
  v1::Report b;
  b.mutable_slo();
  const auto found = DiffMessages(a, b);
  ASSERT_FALSE(found.empty());
  EXPECT_TRUE(found[0].path.starts_with("slo"));
  EXPECT_EQ(found[0].a, "");
}

}  // namespace
}  // namespace tokensim::cli
