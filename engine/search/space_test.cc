#include "engine/search/space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tokensim::search {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Cells = std::vector<std::string>;

std::vector<Cells> CellsOf(const Space& space) {
  const absl::StatusOr<std::vector<Point>> points = space.Points();
  EXPECT_TRUE(points.ok()) << points.status();
  std::vector<Cells> cells;
  for (const Point& point : *points) cells.push_back(point.cells);
  return cells;
}

TEST(Space, WithoutAxesIsOnePoint) {
  const Space space;
  EXPECT_THAT(CellsOf(space), ElementsAre(IsEmpty()));
}

TEST(Space, TheLastAxisChangesFastest) {
  Space space;
  ASSERT_TRUE(space.Vary("a=1,2").ok());
  ASSERT_TRUE(space.Vary("b=x,y,z").ok());
  EXPECT_THAT(space.columns(), ElementsAre("a", "b"));
  EXPECT_EQ(space.size(), 6u);
  EXPECT_THAT(CellsOf(space), ElementsAre(Cells{"1", "x"}, Cells{"1", "y"}, Cells{"1", "z"},
                                          Cells{"2", "x"}, Cells{"2", "y"}, Cells{"2", "z"}));
}

TEST(Space, TiedFieldsChangeTogether) {
  Space space;
  ASSERT_TRUE(space.Vary("p.count=1..3; d.count=7,6,5").ok());
  const std::vector<Point> points = *space.Points();
  ASSERT_EQ(points.size(), 3u);
  EXPECT_THAT(points[1].assignments,
              ElementsAre(Assignment{"p.count", "2"}, Assignment{"d.count", "6"}));
  EXPECT_THAT(std::string(space.Vary("x=1,2;y=1").message()), HasSubstr("x has 2, y has 1"));
}

TEST(Space, VariantsOfOneNameAreOneAxis) {
  Space space;
  ASSERT_TRUE(space.Variant("device=h100: workers.gpu.hardware=h100-sxm; cost=2").ok());
  ASSERT_TRUE(space.Vary("rate=1,2").ok());
  ASSERT_TRUE(space.Variant("device=base:").ok());
  EXPECT_THAT(CellsOf(space), ElementsAre(Cells{"h100", "1"}, Cells{"h100", "2"},
                                          Cells{"base", "1"}, Cells{"base", "2"}));
  const std::vector<Point> points = *space.Points();
  EXPECT_THAT(points[0].assignments, ElementsAre(Assignment{"workers.gpu.hardware", "h100-sxm"},
                                                 Assignment{"cost", "2"}, Assignment{"rate", "1"}));
  EXPECT_THAT(points[3].assignments, ElementsAre(Assignment{"rate", "2"}));
}

TEST(Space, ConditionsKeepPoints) {
  Space space;
  ASSERT_TRUE(space.Vary("p=1..3").ok());
  ASSERT_TRUE(space.Vary("d=1..3").ok());
  ASSERT_TRUE(space.Where("p + d == 4").ok());
  ASSERT_TRUE(space.Where("p < 3").ok());
  EXPECT_THAT(CellsOf(space), ElementsAre(Cells{"1", "3"}, Cells{"2", "2"}));
}

TEST(Space, WhatIsWrongIsSaidAndChangesNothing) {
  Space space;
  ASSERT_TRUE(space.Vary("a=1").ok());
  EXPECT_THAT(std::string(space.Vary("a=2").message()), HasSubstr("a is varied already"));
  EXPECT_THAT(std::string(space.Vary("b=1;b=2").message()), HasSubstr("b is varied already"));
  EXPECT_THAT(std::string(space.Vary("b").message()), HasSubstr("expected PATH=VALUE"));
  EXPECT_THAT(std::string(space.Vary("b=").message()), HasSubstr("b has no value"));
  EXPECT_THAT(std::string(space.Vary("b=2..1").message()), HasSubstr("smaller value"));
  EXPECT_THAT(std::string(space.Variant("d=1").message()), HasSubstr("NAME=LABEL"));
  EXPECT_THAT(std::string(space.Variant("a=1: b=2").message()), HasSubstr("varied already"));
  EXPECT_THAT(std::string(space.Variant("d=1: b").message()), HasSubstr("expected PATH=VALUE"));
  EXPECT_THAT(std::string(space.Where("b == 1").message()), HasSubstr("no column"));
  EXPECT_EQ(space.size(), 1u);
  ASSERT_TRUE(space.Variant("d=1: b=2").ok());
  EXPECT_THAT(std::string(space.Variant("d=1: b=3").message()), HasSubstr("given already"));
}

TEST(Space, TooManyPointsAreRefused) {
  Space space;
  for (const char* axis : {"a=1..1000", "b=1..1000", "c=1..90000", "d=1..90000", "e=1..90000"}) {
    ASSERT_TRUE(space.Vary(axis).ok());
  }
  EXPECT_EQ(space.Points().status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Sample, KeepsTheOrderAndTheNumber) {
  Space space;
  ASSERT_TRUE(space.Vary("a=1..1000").ok());
  const std::vector<Point> points = *space.Points();
  const std::vector<Point> sample = Sample(points, 100, 7);
  ASSERT_EQ(sample.size(), 100u);
  int previous = 0;
  int64_t sum = 0;
  for (const Point& point : sample) {
    const int value = std::stoi(point.cells[0]);
    EXPECT_GT(value, previous);
    previous = value;
    sum += value;
  }
  EXPECT_NEAR(static_cast<double>(sum) / 100, 500, 90);  // three standard errors
  EXPECT_EQ(Sample(points, 100, 7)[50].cells, sample[50].cells);
  EXPECT_NE(Sample(points, 100, 8)[50].cells, sample[50].cells);
  EXPECT_EQ(Sample(points, 2000, 7).size(), 1000u);
}

}  // namespace
}  // namespace tokensim::search
