#include "engine/search/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tokensim::search {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> Values(absl::string_view text) {
  const absl::StatusOr<std::vector<std::string>> values = ParseValues(text);
  EXPECT_TRUE(values.ok()) << values.status();
  return values.ok() ? *values : std::vector<std::string>();
}

std::string Error(absl::string_view text) {
  const absl::StatusOr<std::vector<std::string>> values = ParseValues(text);
  return values.ok() ? "" : std::string(values.status().message());
}

TEST(Values, ListsKeepBracketsAndQuotesTogether) {
  EXPECT_THAT(Values("1, 2,4"), ElementsAre("1", "2", "4"));
  EXPECT_THAT(Values("{a: 1, b: [2, 3]},'x,y',z"), ElementsAre("{a: 1, b: [2, 3]}", "'x,y'", "z"));
  EXPECT_THAT(Values("x0.5,/2"), ElementsAre("x0.5", "/2"));
  EXPECT_THAT(Values("../trace.csv"), ElementsAre("../trace.csv"));
}

TEST(Values, Ranges) {
  EXPECT_THAT(Values("1..4"), ElementsAre("1", "2", "3", "4"));
  EXPECT_THAT(Values("3..3"), ElementsAre("3"));
  EXPECT_THAT(Values("0.1..0.4:0.1"), ElementsAre("0.1", "0.2", "0.3", "0.4"));
  EXPECT_THAT(Values("1..10:4"), ElementsAre("1", "5", "9"));
  EXPECT_THAT(Values("1..16:x4"), ElementsAre("1", "4", "16"));
  EXPECT_THAT(Values("0.1..0.8:x2"), ElementsAre("0.1", "0.2", "0.4", "0.8"));
  EXPECT_THAT(Values("1..15:x4"), ElementsAre("1", "4"));
  EXPECT_THAT(Values("1..100:log3"), ElementsAre("1", "10", "100"));
  EXPECT_THAT(Values("0..1:lin3"), ElementsAre("0", "0.5", "1"));
  EXPECT_THAT(Values("8,1..2"), ElementsAre("8", "1", "2"));
}

TEST(Values, WhatIsWrongIsSaid) {
  EXPECT_THAT(Error("1,,2"), HasSubstr("missing"));
  EXPECT_THAT(Error(""), HasSubstr("missing"));
  EXPECT_THAT(Error("4..1"), HasSubstr("smaller value to the larger"));
  EXPECT_THAT(Error("0.5..2"), HasSubstr("needs a step"));
  EXPECT_THAT(Error("1..4:0"), HasSubstr("above 0"));
  EXPECT_THAT(Error("1..4:x1"), HasSubstr("above 1"));
  EXPECT_THAT(Error("0..4:x2"), HasSubstr("begins above 0"));
  EXPECT_THAT(Error("0..4:log3"), HasSubstr("begins above 0"));
  EXPECT_THAT(Error("1..4:log1"), HasSubstr("at least 2"));
  EXPECT_THAT(Error("1..4:often"), HasSubstr("after the colon"));
  EXPECT_THAT(Error("1..1000000"), HasSubstr("at most 100000 values"));
  EXPECT_THAT(Error("1..2:lin1000000"), HasSubstr("at most 100000 values"));
  EXPECT_THAT(Error("1..2:x1.0000001"), HasSubstr("at most 100000 values"));
  EXPECT_THAT(Error("1..90000,1..90000"), HasSubstr("at most 100000 values"));
}

}  // namespace
}  // namespace tokensim::search
