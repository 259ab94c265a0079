#include "engine/base/parameters.h"

#include <gtest/gtest.h>

#include <limits>

#include "engine/base/invariant.h"

namespace tokensim {
namespace {

constexpr std::string_view kWaits[] = {"none", "full"};
constexpr Parameter kTable[] = {
    FlagParameter("reserve", true, "reserve the whole prompt"),
    IntegerParameter("window", 3, {.min = 1, .max = 100}, "iterations", "iterations"),
    RealParameter("factor", 2, {.above = 1, .max = 1e6}, "bound"),
    RealParameter("weights.load", 0.5, {.min = 0}, "weight"),
    ChoiceParameter("wait", kWaits, "for a full batch"),
};

TEST(ParametersTest, StartAsTheDefaults) {
  const ParameterValues values(kTable);
  EXPECT_TRUE(values.flag("reserve"));
  EXPECT_EQ(values.integer("window"), 3);
  EXPECT_EQ(values.real("factor"), 2);
  EXPECT_EQ(values.real("weights.load"), 0.5);
  EXPECT_EQ(values.choice("wait"), "none");
  EXPECT_TRUE(values.Has("window"));
  EXPECT_FALSE(values.Has("windows"));
}

TEST(ParametersTest, TakeGoodValues) {
  ParameterValues values(kTable);
  EXPECT_EQ(values.Set("reserve", 0), "");
  EXPECT_EQ(values.Set("window", 1), "");
  EXPECT_EQ(values.Set("window", 100), "");
  EXPECT_EQ(values.Set("factor", 1.0000001), "");
  EXPECT_EQ(values.Set("weights.load", 0), "");
  EXPECT_EQ(values.SetChoice("wait", "full"), "");
  EXPECT_FALSE(values.flag("reserve"));
  EXPECT_EQ(values.integer("window"), 100);
  EXPECT_EQ(values.number("window"), 100);
  EXPECT_EQ(values.real("factor"), 1.0000001);
  EXPECT_EQ(values.real("weights.load"), 0);
  EXPECT_EQ(values.choice("wait"), "full");
}

TEST(ParametersTest, RefuseOthersAndKeepWhatTheyHad) {
  ParameterValues values(kTable);
  EXPECT_EQ(values.Set("reserve", 2), "is 2; allowed are true (1) and false (0)");
  EXPECT_EQ(values.Set("window", 0), "is 0; allowed are 1 .. 100");
  EXPECT_EQ(values.Set("window", 101), "is 101; allowed are 1 .. 100");
  EXPECT_EQ(values.Set("window", 1.5), "is 1.5; it must be a whole number");
  EXPECT_EQ(values.Set("factor", 1), "is 1; it must be above 1 and at most 1e+06");
  EXPECT_EQ(values.Set("factor", std::numeric_limits<double>::infinity()),
            "is .inf; it must be above 1 and at most 1e+06");
  EXPECT_EQ(values.Set("weights.load", -0.5), "is -0.5; allowed are 0 or more");
  EXPECT_EQ(values.Set("weights.load", std::numeric_limits<double>::quiet_NaN()),
            "is .nan; allowed are 0 or more");
  EXPECT_EQ(values.SetChoice("wait", "ful"),
            "is 'ful'; allowed are none or full; did you mean full?");
  EXPECT_EQ(values.Set("wait", 1), "is 1; allowed are none or full");
  EXPECT_EQ(values.integer("window"), 3);
  EXPECT_EQ(values.real("factor"), 2);
  EXPECT_EQ(values.choice("wait"), "none");
}

TEST(ParametersTest, UnknownNamesComeWithTheNearest) {
  ParameterValues values(kTable);
  EXPECT_EQ(values.Set("windw", 1), "is not a parameter; did you mean window?");
  EXPECT_EQ(values.Set("zzz", 1),
            "is not a parameter; there are reserve, window, factor, weights.load, wait");
  EXPECT_EQ(ParameterValues().Set("x", 1), "is not a parameter: there are none");
}

constexpr Parameter kDemanding[] = {
    Required(RealParameter("rate", 0, {.above = 0, .max = 1e9}, "requests per second")),
    Derived(IntegerParameter("size", 1, {.min = 1, .max = 1e9}, "of a burst"), "all requests")};

TEST(ParametersTest, SomeMustBeGivenAndSomeAreDerived) {
  ParameterValues values(kDemanding);
  EXPECT_FALSE(values.complete());
  EXPECT_FALSE(values.IsSet("rate"));
  EXPECT_THROW(static_cast<void>(values.real("rate")), InvariantError);
  EXPECT_EQ(values.Set("rate", 2), "");
  EXPECT_TRUE(values.complete()) << "what is derived need not be given";
  EXPECT_FALSE(values.IsSet("size"));
  values.Derive("size", 3);
  EXPECT_EQ(values.integer("size"), 3);
  EXPECT_THROW(values.Derive("size", 0), InvariantError);
  EXPECT_THROW(values.Derive("rate", 1), InvariantError);
  EXPECT_EQ(values.Set("size", 0), "is 0; allowed are 1 .. 1,000,000,000");
  EXPECT_EQ(DefaultText(kDemanding[0]), "");
  EXPECT_EQ(DefaultText(kDemanding[1]), "all requests");
}

// A policy that reads what it does not declare, or as another type, is wrong.
TEST(ParametersTest, OnlyWhatIsDeclaredCanBeRead) {
  const ParameterValues values(kTable);
  EXPECT_THROW(static_cast<void>(values.flag("window")), InvariantError);
  EXPECT_THROW(static_cast<void>(values.real("windows")), InvariantError);
  EXPECT_THROW(static_cast<void>(values.number("windows")), InvariantError);
}

TEST(ParametersTest, Texts) {
  EXPECT_EQ(DefaultText(kTable[0]), "true");
  EXPECT_EQ(DefaultText(kTable[1]), "3");
  EXPECT_EQ(DefaultText(kTable[3]), "0.5");
  EXPECT_EQ(DefaultText(kTable[4]), "none");
  EXPECT_EQ(RangeText(kTable[0]), "true or false");
  EXPECT_EQ(RangeText(kTable[2]), "above 1, at most 1e+06");
  EXPECT_EQ(RangeText(kTable[4]), "none or full");
}

}  // namespace
}  // namespace tokensim
