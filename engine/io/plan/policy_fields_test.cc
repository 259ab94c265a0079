// Parameters of policies that the schema does not know, as a specification would give them.
#include "engine/io/plan/policy_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/workload/arrival_process.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Parameter kNewParameters[] = {
    RealParameter("decay", 0.5, {.min = 0, .max = 1}, "of what is remembered"),
    IntegerParameter("window", 3, {.min = 1, .max = 100}, "iterations"),
    RealParameter("affinity_load_factor", 2, {.above = 1, .max = 10}, "a field of the schema")};
constexpr Parameter kOtherParameters[] = {
    RealParameter("weights.load", 1, {.min = 0, .max = 5}, "a field in a field"),
    FlagParameter("sticky", false, "only of this one")};
constexpr PolicyInfo kNew = {.name = "new", .description = "d", .parameters = kNewParameters};
constexpr PolicyInfo kOther = {.name = "other", .description = "d", .parameters = kOtherParameters};
constexpr PolicyInfo kPlain = {.name = "plain", .description = "d"};

struct Outcome {
  std::vector<std::string> findings;
  v1::GlobalScheduler message;
};

Outcome Resolve(v1::GlobalScheduler message, std::vector<const PolicyInfo*> chosen) {
  Findings findings;
  ResolveParameters(Checker(&findings, "g"),
                    {{"router", {&kNew, &kOther, &kPlain}, std::move(chosen)}}, &message);
  Outcome outcome;
  for (const v1::Finding& f : findings.Take()) {
    outcome.findings.push_back(v1::Finding::Severity_Name(f.severity()) + " " + f.field() + ": " +
                               f.message());
  }
  outcome.message = std::move(message);
  return outcome;
}

TEST(PolicyFieldsTest, DefaultsAreWritten) {
  const Outcome outcome = Resolve({}, {&kNew, &kOther});
  EXPECT_THAT(outcome.findings, IsEmpty());
  EXPECT_EQ(outcome.message.affinity_load_factor(), 2);
  EXPECT_EQ(outcome.message.weights().load(), 1);
  EXPECT_FALSE(outcome.message.weights().has_kv_use());
  EXPECT_EQ(outcome.message.parameters().at("decay"), 0.5);
  EXPECT_EQ(outcome.message.parameters().at("window"), 3);
  EXPECT_EQ(outcome.message.parameters().at("sticky"), 0);
}

TEST(PolicyFieldsTest, GivenValuesReachThePolicy) {
  v1::GlobalScheduler message;
  (*message.mutable_parameters())["window"] = 7;
  message.set_affinity_load_factor(1.5);
  message.mutable_weights()->set_load(4);
  const Outcome outcome = Resolve(message, {&kNew, &kOther});
  EXPECT_THAT(outcome.findings, IsEmpty());
  const ParameterValues values = ReadParameters(kNew, outcome.message);
  EXPECT_EQ(values.integer("window"), 7);
  EXPECT_EQ(values.real("decay"), 0.5);
  EXPECT_EQ(values.real("affinity_load_factor"), 1.5);
  EXPECT_EQ(ReadParameters(kOther, outcome.message).real("weights.load"), 4);
}

TEST(PolicyFieldsTest, RangesAreChecked) {
  v1::GlobalScheduler message;
  (*message.mutable_parameters())["window"] = 1.5;
  (*message.mutable_parameters())["decay"] = 2;
  message.set_affinity_load_factor(11);
  EXPECT_THAT(Resolve(message, {&kNew}).findings,
              ElementsAre("ERROR g.parameters.decay: is 2; allowed are 0 .. 1",
                          "ERROR g.parameters.window: is 1.5; it must be a whole number",
                          "ERROR g.affinity_load_factor: is 11; it must be above 1 and at most "
                          "10"));
}

TEST(PolicyFieldsTest, UnknownOnesAreErrors) {
  v1::GlobalScheduler message;
  (*message.mutable_parameters())["decai"] = 0.1;
  (*message.mutable_parameters())["affinity_load_factor"] = 3;
  EXPECT_THAT(Resolve(message, {&kNew, &kPlain}).findings,
              ElementsAre("ERROR g.parameters.affinity_load_factor: is a field of its own: write "
                          "affinity_load_factor",
                          "ERROR g.parameters.decai: is no parameter; did you mean decay?; router "
                          "new takes decay, window, affinity_load_factor, router plain takes no "
                          "parameters"));
}

TEST(PolicyFieldsTest, ThoseOfAnotherPolicyAreRemovedAndTold) {
  v1::GlobalScheduler message;
  (*message.mutable_parameters())["decay"] = 0.1;
  (*message.mutable_parameters())["window"] = 3;  // says what holds anyway
  message.mutable_weights()->set_load(2);
  const Outcome outcome = Resolve(message, {&kPlain, &kPlain});
  EXPECT_THAT(outcome.findings,
              ElementsAre("WARNING g.parameters.decay: does not apply to router plain, which takes "
                          "no parameters",
                          "WARNING g.weights.load: does not apply to router plain, which takes no "
                          "parameters"));
  EXPECT_EQ(outcome.message.ByteSizeLong(), 0U) << outcome.message.ShortDebugString();
}

TEST(PolicyFieldsTest, ThoseOfAnotherPolicyAreChecked) {
  v1::GlobalScheduler message;
  (*message.mutable_parameters())["window"] = 1000;
  message.mutable_weights()->set_load(-1);
  EXPECT_THAT(Resolve(message, {&kPlain}).findings,
              ElementsAre("ERROR g.parameters.window: is 1,000; allowed are 1 .. 100",
                          "ERROR g.weights.load: is -1; allowed are 0 .. 5"));
}

TEST(PolicyFieldsTest, TwoPoliciesAreBothNamed) {
  v1::GlobalScheduler message;
  (*message.mutable_parameters())["decay"] = 0.1;
  EXPECT_THAT(Resolve(message, {&kPlain, &kOther}).findings,
              ElementsAre("WARNING g.parameters.decay: does not apply to router plain, which takes "
                          "no parameters, nor to other, which takes weights.load, sticky"));
}

// ---- Members of a oneof

constexpr Parameter kDripParameters[] = {
    Required(RealParameter("every_seconds", 0, {.above = 0, .max = 10}, "between two drops")),
    RealParameter("first_seconds", 1, {.max = 10}, "before the first drop")};
const ArrivalEntry kDrip = {
    {.name = "drip", .description = "one by one", .parameters = kDripParameters},
    {},
    [](const ParameterValues&) -> ArrivalFactory::Maker {
      return [](const ArrivalContext&) -> std::unique_ptr<ArrivalProcess> { return nullptr; };
    }};
const ArrivalEntry* const kDrips[] = {&kDrip};
const ArrivalRegistry kDripping("arrival process", kDrips);

std::vector<std::string> ResolveNamed(v1::Arrival* arrival) {
  Findings findings;
  ResolveMember(Checker(&findings, "a"), kDripping, "process", arrival);
  std::vector<std::string> texts;
  for (const v1::Finding& finding : findings.Take()) {
    texts.push_back(finding.field() + ": " + finding.message());
  }
  return texts;
}

TEST(PolicyFieldsTest, APolicyWithoutAMemberIsNamed) {
  v1::Arrival arrival;
  arrival.mutable_named()->set_name("drip");
  EXPECT_THAT(ResolveNamed(&arrival),
              ElementsAre("a.named.parameters.every_seconds: is missing: between two drops"));
  (*arrival.mutable_named()->mutable_parameters())["every_seconds"] = 11;
  EXPECT_THAT(ResolveNamed(&arrival),
              ElementsAre("a.named.parameters.every_seconds: is 11; it must be above 0 and at most "
                          "10"));
  (*arrival.mutable_named()->mutable_parameters())["every_seconds"] = 2;
  EXPECT_THAT(ResolveNamed(&arrival), IsEmpty());
  const auto factory = ConfigureMember(kDripping, "process", arrival);
  EXPECT_EQ(factory->values().real("every_seconds"), 2);
  EXPECT_EQ(arrival.named().parameters().at("first_seconds"), 1) << "the default is written";
}

}  // namespace
}  // namespace tokensim
