// Breakpoints of a model of two operators in each of three layers.
#include "engine/worker/breakpoints.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tokensim {
namespace {

constexpr SimTime kMs = 1'000'000;

// "norm" and "proj" of each layer, 1 and 2 ms each, from 0 on.
class ThreeLayers final : public ComputeModel {
 public:
  [[nodiscard]] double IterationSeconds(const IterationShape& /*shape*/) const override {
    return 0.009;
  }
  [[nodiscard]] std::vector<OperatorTime> OperatorTimes(
      const IterationShape& /*shape*/) const override {
    std::vector<OperatorTime> times;
    for (int32_t layer = 0; layer < 3; ++layer) {
      times.push_back({"norm", layer, 0.003 * layer, 0.001});
      times.push_back({"proj", layer, 0.003 * layer + 0.001, 0.002});
    }
    return times;
  }
};

WorkerPlan PlanWith(std::vector<Breakpoint> breakpoints) {
  WorkerPlan plan;
  plan.compute = std::make_shared<const ThreeLayers>();
  plan.num_layers = 3;
  plan.breakpoints = std::move(breakpoints);
  return plan;
}

class Log final : public Observer {
 public:
  void OnEvent(SimTime now, const Event& event) override {
    const auto& e = std::get<OperatorEvent>(event);
    lines.push_back(std::to_string(now / kMs) + " " + std::string(e.name) + " " +
                    std::to_string(e.layer) + " [" + std::to_string(e.start / kMs) + ", " +
                    std::to_string((e.start + e.duration) / kMs) + ")");
  }
  std::vector<std::string> lines;
};

std::vector<std::string> Observed(std::vector<Breakpoint> breakpoints,
                                  const IterationTimes& times = {10 * kMs, 10 * kMs, 19 * kMs}) {
  Log log;
  ObserveOperators(PlanWith(std::move(breakpoints)), 4, {}, times, &log);
  return log.lines;
}

TEST(BreakpointsTest, AnOperatorIsLoggedInTheLayersThatAreNamed) {
  EXPECT_EQ(
      Observed({{.after = "norm"}}),
      (std::vector<std::string>{"19 norm 0 [10, 11)", "19 norm 1 [13, 14)", "19 norm 2 [16, 17)"}));
  EXPECT_EQ(Observed({{.after = "proj", .layers = {0, 2}}}),
            (std::vector<std::string>{"19 proj 0 [11, 13)", "19 proj 2 [17, 19)"}));
  EXPECT_TRUE(Observed({{.after = "norm", .action = BreakpointAction::kPutKv}}).empty());
}

TEST(BreakpointsTest, AnIterationIsLoggedWithItsFetchAndItsOperatorsWithout) {
  EXPECT_EQ(Observed({{.after = "iteration"}, {.after = "norm", .layers = {1}}},
                     {10 * kMs, 12 * kMs, 21 * kMs}),
            (std::vector<std::string>{"21 iteration -1 [10, 21)", "21 norm 1 [15, 16)"}));
}

TEST(BreakpointsTest, NoOperatorEndsAfterItsIteration) {
  EXPECT_EQ(Observed({{.after = "proj", .layers = {2}}}, {0, 0, 8 * kMs}),
            (std::vector<std::string>{"8 proj 2 [7, 8)"}));
}

TEST(BreakpointsTest, CachesLeaveAtTheEndOfEachLayer) {
  const LayerReleases releases =
      FindLayerReleases(PlanWith({{.after = "norm"}}), {}, 10 * kMs, 19 * kMs);
  EXPECT_EQ(releases.first, 13 * kMs);
  EXPECT_EQ(releases.last, 19 * kMs);
}

TEST(BreakpointsTest, CachesLeaveAfterTheOperatorThatSaysSo) {
  const WorkerPlan plan =
      PlanWith({{.after = "proj"}, {.after = "norm", .action = BreakpointAction::kPutKv}});
  const LayerReleases releases = FindLayerReleases(plan, {}, 10 * kMs, 19 * kMs);
  EXPECT_EQ(releases.first, 11 * kMs);
  EXPECT_EQ(releases.last, 17 * kMs);
  EXPECT_EQ(FindLayerReleases(plan, {}, 10 * kMs, 16 * kMs).last, 16 * kMs);
}

}  // namespace
}  // namespace tokensim
