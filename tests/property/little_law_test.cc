// Little's law, exactly: every request that the cluster has is at any time in one state at one
// worker (running, waiting, loading), or waits for a worker to serve. So these counts, summed over
// the run in requests x nanoseconds, are the time that all requests spent in the cluster.
//
// A request is in the cluster from its arrival at the global scheduler, which is `request_delay`
// after its client sent it, until its last token leaves the worker, `response_delay` before its
// client has it, or until it is rejected; if the run is stopped, until then. One that is handed on
// waits or loads at the worker that shall decode it; that its cache is still held by another worker
// is counted besides. The rows that finished requests keep in a static batch run no request.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/test_cases.h"
#include "engine/io/plan/prepare.h"
#include "engine/io/yaml/yaml.h"
#include "tests/property/draws.h"
#include "tests/property/random_cluster.h"
#include "tests/property/run_engine.h"

namespace tokensim {
namespace {

using Integral = OccupancyIntegral::Integral;

// Requests x nanoseconds in all the states.
Integral InStates(const Results& results) {
  Integral sum = results.homeless;
  for (const WorkerStats& worker : results.workers) {
    sum += worker.occupancy.running + worker.occupancy.waiting + worker.occupancy.loading;
  }
  return sum;
}

// Of the requests of a run that completed.
Integral InCluster(const Plan& plan, const Results& results) {
  Integral sum = 0;
  for (const RequestRecord& r : results.records) {
    const bool finished = r.reject_reason == RejectReason::kNone;
    sum += r.finish - (finished ? plan.response_delay : 0) - r.arrival - plan.request_delay;
  }
  return sum;
}

testing::AssertionResult Same(Integral expected, Integral actual) {
  if (expected == actual) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "expected " << static_cast<double>(expected) << ", got " << static_cast<double>(actual)
         << ", the difference is " << static_cast<double>(actual - expected);
}

void AddDelays(uint64_t seed, Plan* plan) {
  Draws draws(seed, "delays");
  if (draws.OneIn(2)) return;
  plan->request_delay = draws.Between(0, 1000) * 1'003;
  plan->response_delay = draws.Between(0, 1000) * 1'007;
}

std::shared_ptr<Plan> AnyCluster(uint64_t seed) {
  if (seed % 5 == 0) return RandomWaitingCluster(seed);
  if (seed % 5 == 1) return RandomLayoutCluster(seed);
  if (seed % 5 == 2) return RandomCachedLayoutCluster(seed);
  return RandomCluster(seed);
}

TEST(LittlesLaw, HoldsInEveryCluster) {
  Integral loading = 0;
  Integral homeless = 0;
  int64_t rejected = 0;
  for (uint64_t seed = 1; seed <= Seeds(2500); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = AnyCluster(seed);
    AddDelays(seed, plan.get());
    const Results results = RunEngine(plan);
    ASSERT_TRUE(Same(InCluster(*plan, results), InStates(results)));
    homeless += results.homeless;
    for (const WorkerStats& worker : results.workers) loading += worker.occupancy.loading;
    rejected += std::count_if(results.records.begin(), results.records.end(), [](const auto& r) {
      return r.reject_reason == RejectReason::kNoWorker;
    });
  }
  EXPECT_GT(loading, 0);
  EXPECT_GT(homeless, 0);
  EXPECT_GE(rejected, Cases(100));
}

// Requests in the cluster over time, as its events tell.
class Population final : public Observer {
 public:
  void OnEvent(SimTime now, const Event& event) override {
    if (std::holds_alternative<ArrivedEvent>(event)) {
      Change(now, 1);
    } else if (std::holds_alternative<FinishedEvent>(event) ||
               std::holds_alternative<RejectedEvent>(event)) {
      Change(now, -1);
    } else if (std::holds_alternative<EndedEvent>(event)) {
      Change(now, 0);
    }
  }

  Integral integral = 0;

 private:
  void Change(SimTime now, int64_t by) {
    integral += static_cast<Integral>(present_) * (now - last_);
    present_ += by;
    last_ = now;
  }

  int64_t present_ = 0;
  SimTime last_ = 0;
};

TEST(LittlesLaw, HoldsWhereverARunIsStopped) {
  int64_t unfinished = 0;
  for (uint64_t seed = 1; seed <= Seeds(500); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomCluster(seed);
    AddDelays(seed, plan.get());
    const SimTime whole = RunEngine(plan).end_time;
    Draws draws(seed, "stop");
    if (draws.OneIn(2)) {
      plan->max_events = draws.Between(1, 200);
    } else {
      plan->max_simulated_time = draws.Between(0, whole);
    }
    Population population;
    const Results results = RunEngine(plan, &population);
    ASSERT_TRUE(Same(population.integral, InStates(results)));
    ASSERT_TRUE(SameResults(results, RunEngine(plan)));
    unfinished += results.arrived - static_cast<int64_t>(results.records.size());
  }
  EXPECT_GE(unfinished, Cases(500));
}

// What a worker has is what snapshots show: at every event one is taken, and holds until the next.
TEST(Occupancy, IsTheTimeAverageOfTheSnapshots) {
  Integral held = 0;
  for (uint64_t seed = 1; seed <= Seeds(300); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomCluster(seed);
    std::vector<OccupancyIntegral> sums(plan->workers.size());
    std::vector<Occupancy> shown(plan->workers.size());
    std::vector<int64_t> most_blocks(plan->workers.size());
    SimTime last = 0;
    const auto advance = [&](SimTime now) {
      for (size_t i = 0; i < shown.size(); ++i) {
        sums[i].Add(shown[i], now - last);
        if (now > last) most_blocks[i] = std::max(most_blocks[i], shown[i].kv_blocks);
      }
      last = now;
    };
    const Results results = RunEngineByEvents(plan, nullptr, [&](const Simulation& simulation) {
      if (simulation.done()) return;
      advance(simulation.progress().now);
      for (size_t i = 0; i < shown.size(); ++i) {
        const WorkerSnapshot s = simulation.cluster().worker(i).Snapshot();
        shown[i] = {s.running, s.waiting, s.loading, s.held, s.kv_blocks_used};
      }
    });
    advance(results.end_time);
    for (size_t i = 0; i < shown.size(); ++i) {
      SCOPED_TRACE("worker " + std::to_string(i));
      ASSERT_TRUE(sums[i] == results.workers[i].occupancy);
      ASSERT_EQ(most_blocks[i], results.workers[i].max_kv_blocks_used);
      held += results.workers[i].occupancy.held;
    }
  }
  EXPECT_GT(held, 0);
}

// A timeline's intervals add up to the integrals.
TEST(Occupancy, TimelinesAddUpToTheIntegrals) {
  for (uint64_t seed = 1; seed <= Seeds(1000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomCluster(seed);
    const Results results = RunEngine(plan);
    for (size_t i = 0; i < plan->workers.size(); ++i) {
      SCOPED_TRACE("worker " + std::to_string(i));
      const WorkerTimeline& timeline = results.timelines[i];
      const OccupancyIntegral& whole = results.workers[i].occupancy;
      const auto expect = [&](Integral integral, const std::vector<double>& averages) {
        double sum = 0;
        for (size_t k = 0; k < averages.size(); ++k) {
          const SimTime start = static_cast<SimTime>(k) * timeline.interval;
          sum += averages[k] *
                 static_cast<double>(std::min(timeline.interval, results.end_time - start));
        }
        const auto expected = static_cast<double>(integral);
        EXPECT_NEAR(expected, sum, 1 + 1e-9 * expected);
      };
      expect(whole.running, timeline.running);
      expect(whole.waiting, timeline.waiting);
      expect(whole.loading, timeline.loading);
      expect(whole.held, timeline.held);
      expect(whole.kv_blocks, timeline.kv_blocks_used);
      expect(results.workers[i].busy, timeline.busy);
    }
    if (HasFailure()) return;
  }
}

// ---- The examples

namespace fs = std::filesystem;

std::vector<fs::path> Examples() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(TOKENSIM_EXAMPLES_DIR)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class LittlesLawOfExamples : public testing::TestWithParam<fs::path> {};

TEST_P(LittlesLawOfExamples, Holds) {
  constexpr int64_t kMostRequests = 20'000;
  std::ifstream file(GetParam());
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  v1::Spec spec;
  for (const YamlError& error : ParseYaml(text, "spec", &spec)) FAIL() << error.ToString();
  const std::string dir = GetParam().parent_path().string();
  const std::string& trace = spec.workload().trace().path();
  if (!trace.empty() && !fs::exists(fs::path(dir) / trace)) {
    GTEST_SKIP() << "needs the data file " << trace;
  }
  v1::Workload* workload = spec.mutable_workload();
  if (workload->num_requests() > kMostRequests) workload->set_num_requests(kMostRequests);
  const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::AnyPath(dir));
  ASSERT_TRUE(prepared.ok());
  const Results results = RunEngine(prepared.plan);
  EXPECT_EQ(results.end_reason, EndReason::kCompleted);
  EXPECT_TRUE(Same(InCluster(*prepared.plan, results), InStates(results)));
}

std::string TestName(const testing::TestParamInfo<fs::path>& example) {
  std::string name = example.param.stem().string();
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Configs, LittlesLawOfExamples, testing::ValuesIn(Examples()), TestName);

}  // namespace
}  // namespace tokensim
