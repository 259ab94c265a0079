#include "engine/search/condition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tokensim::search {
namespace {

using testing::HasSubstr;

const std::vector<std::string> kColumns = {"workers.prefill.count", "workers.decode.count", "rate",
                                           "policy"};

bool Holds(absl::string_view text,
           const std::vector<std::string>& cells = {"3", "5", "0.5", "sjf"}) {
  const absl::StatusOr<Condition> condition = Condition::Parse(text, kColumns);
  EXPECT_TRUE(condition.ok()) << condition.status();
  return condition.ok() && condition->Holds(cells);
}

std::string Error(absl::string_view text) {
  const absl::StatusOr<Condition> condition = Condition::Parse(text, kColumns);
  return condition.ok() ? "" : std::string(condition.status().message());
}

TEST(Condition, ArithmeticAndComparisons) {
  EXPECT_TRUE(Holds("prefill.count + decode.count == 8"));
  EXPECT_FALSE(Holds("prefill.count + decode.count == 8", {"3", "4", "1", ""}));
  EXPECT_TRUE(Holds("1 + 2 * 3 == 7"));
  EXPECT_TRUE(Holds("(1 + 2) * 3 == 9"));
  EXPECT_TRUE(Holds("8 - 2 - 1 == 5"));
  EXPECT_TRUE(Holds("16 / 4 / 2 == 2"));
  EXPECT_TRUE(Holds("-2 < 1e-3"));
  EXPECT_TRUE(Holds("rate <= 0.5"));
  EXPECT_FALSE(Holds("rate < 0.5"));
  EXPECT_TRUE(Holds("rate >= 0.5"));
  EXPECT_FALSE(Holds("rate > 0.5"));
  EXPECT_TRUE(Holds("rate != 1"));
}

TEST(Condition, AndBindsTighterThanOr) {
  EXPECT_TRUE(Holds("1 == 1 or 1 == 2 and 1 == 2"));
  EXPECT_FALSE(Holds("(1 == 1 or 1 == 2) and 1 == 2"));
  EXPECT_TRUE(Holds("not 1 == 2"));
  EXPECT_FALSE(Holds("not 1 == 1"));
}

TEST(Condition, Text) {
  EXPECT_TRUE(Holds("policy == 'sjf'"));
  EXPECT_FALSE(Holds("policy == 'fcfs'"));
  EXPECT_TRUE(Holds("policy != \"fcfs\""));
  EXPECT_FALSE(Holds("policy < 3"));
  EXPECT_FALSE(Holds("policy + 1 == 1"));
}

TEST(Condition, WhatIsWrongIsSaid) {
  EXPECT_THAT(Error("count == 8"), HasSubstr("several columns end so"));
  EXPECT_THAT(Error("speed == 8"), HasSubstr("no column is called so; there are: workers.prefill"));
  EXPECT_THAT(Error("rate =="), HasSubstr("expected a number or a name"));
  EXPECT_THAT(Error("rate"), HasSubstr("no comparison"));
  EXPECT_THAT(Error("(rate < 1"), HasSubstr("expected ')'"));
  EXPECT_THAT(Error("rate < 1 1"), HasSubstr("expected the end at '1'"));
  EXPECT_THAT(Error("policy == 'sjf"), HasSubstr("has no end"));
  EXPECT_THAT(Error("rate < 1x"), HasSubstr("expected a number"));
  EXPECT_THAT(Error(std::string(500, '(')), HasSubstr("nested too deeply"));
  EXPECT_THAT(Error(std::string(500, '-') + "1 < 1"), HasSubstr("nested too deeply"));
  EXPECT_THAT(Error(std::string(5000, ' ') + "1 < 1"), HasSubstr("at most 4096 characters"));
}

}  // namespace
}  // namespace tokensim::search
