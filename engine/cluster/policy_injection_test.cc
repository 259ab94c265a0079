// Policies that no registry knows, put into a plan: they are told what they ask for, and what they
// decide is done.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "engine/cluster/simulation.h"
#include "engine/compute/affine.h"
#include "engine/policy/global/global_scheduler.h"
#include "engine/worker/batch_builder.h"
#include "engine/worker/local_scheduler.h"
#include "engine/worker/queue_order.h"
#include "engine/worker/victim.h"
#include "engine/workload/test_traffic.h"

namespace tokensim {
namespace {

constexpr SimTime kMs = 1'000'000;

struct TestRequest {
  SimTime arrival;
  int32_t input;
  int32_t output;
};

// An iteration costs 10 ms, whatever is in it.
std::shared_ptr<Plan> MakePlan(const std::vector<TestRequest>& requests, size_t workers) {
  auto trace = std::make_shared<TraceTable>();
  for (const TestRequest& r : requests) {
    trace->arrival.push_back(r.arrival);
    trace->input_tokens.push_back(r.input);
    trace->output_tokens.push_back(r.output);
  }
  auto plan = std::make_shared<Plan>();
  plan->seed = 3;
  plan->workload.num_requests = trace->size();
  plan->workload.arrivals = TraceArrivals{};
  plan->workload.lengths = TraceLengths{};
  plan->workload.trace = trace;
  for (size_t i = 0; i < workers; ++i) {
    plan->workers.push_back({.name = "gpu",
                             .compute = MakeAffineModel({.iteration_seconds = 0.010}),
                             .kv_blocks = 1000,
                             .block_size = 4,
                             .max_model_len = 100'000});
  }
  return plan;
}

// By request.
std::vector<RequestRecord> RunPlan(const std::shared_ptr<Plan>& plan) {
  Simulation simulation(plan);
  while (!simulation.done()) EXPECT_TRUE(simulation.Advance(1000).ok());
  std::vector<RequestRecord> records(simulation.results().records.size());
  for (const RequestRecord& r : simulation.results().records) {
    records[static_cast<size_t>(r.request_id)] = r;
  }
  return records;
}

// One request at a time, its whole prompt in one iteration.
class OneAtATime final : public LocalScheduler {
 public:
  OneAtATime(const BatchLimits& limits, std::vector<BatchLimits>* made, int* formed)
      : formed_(formed) {
    made->push_back(limits);
  }
  void FormBatch(BatchBuilder& state) override {
    ++*formed_;
    state.ScheduleDecodes();
    if (state.running_count() > 0 || !state.has_waiting()) return;
    const Admission admission = state.PlanFront();
    state.AdmitFront(admission, admission.target);
  }

 private:
  int* formed_;
};

TEST(PolicyInjectionTest, ALocalSchedulerOfOnesOwn) {
  for (const bool steady : {false, true}) {
    const auto plan = MakePlan({{0, 8, 3}, {0, 8, 2}}, 1);
    std::vector<BatchLimits> made;
    int formed = 0;
    plan->workers[0].scheduler.max_num_seqs = 17;
    plan->workers[0].scheduler.max_num_batched_tokens = 99;
    plan->workers[0].scheduler.policy = std::make_shared<LocalSchedulerFactory>(
        "one_at_a_time", LocalSchedulerTraits{.steady_decodes = steady},
        [&](const BatchLimits& limits) {
          return std::make_unique<OneAtATime>(limits, &made, &formed);
        });
    const std::vector<RequestRecord> records = RunPlan(plan);
    ASSERT_EQ(made.size(), 1U);
    EXPECT_EQ(made[0].max_num_seqs, 17);
    EXPECT_EQ(made[0].max_num_batched_tokens, 99);
    EXPECT_EQ(records[0].finish, 30 * kMs);
    EXPECT_EQ(records[1].scheduled, 30 * kMs);
    EXPECT_EQ(records[1].finish, 50 * kMs);
  }
}

// The worker asks a scheduler whose decodes are not steady for every batch.
TEST(PolicyInjectionTest, OnlySteadyDecodesAreNotAskedFor) {
  const auto calls = [](bool steady) {
    const auto plan = MakePlan({{0, 8, 100}}, 1);
    std::vector<BatchLimits> made;
    int formed = 0;
    plan->workers[0].scheduler.policy = std::make_shared<LocalSchedulerFactory>(
        "one_at_a_time", LocalSchedulerTraits{.steady_decodes = steady},
        [&](const BatchLimits& limits) {
          return std::make_unique<OneAtATime>(limits, &made, &formed);
        });
    EXPECT_EQ(RunPlan(plan)[0].finish, 1000 * kMs);
    return formed;
  };
  EXPECT_GE(calls(false), 100);
  EXPECT_LE(calls(true), 5);
}

// Always the last candidate; remembers what ended where.
class LastWorker final : public GlobalScheduler {
 public:
  explicit LastWorker(std::vector<FinishedRequest>* finished) : finished_(finished) {}
  int32_t Dispatch(const DispatchView& view) override { return view.candidates.back(); }
  void OnFinish(const FinishedRequest& request) override { finished_->push_back(request); }

 private:
  std::vector<FinishedRequest>* finished_;
};

TEST(PolicyInjectionTest, ARouterOfOnesOwn) {
  for (const bool wants : {false, true}) {
    const auto plan = MakePlan({{0, 8, 3}, {kMs, 5, 1}}, 3);
    std::vector<FinishedRequest> finished;
    std::vector<GlobalSchedulerContext> contexts;
    plan->global_scheduler = std::make_shared<GlobalSchedulerFactory>(
        "last", GlobalSchedulerTraits{.wants_finishes = wants},
        [&](const GlobalSchedulerContext& context) {
          contexts.push_back(context);
          return std::make_unique<LastWorker>(&finished);
        });
    const std::vector<RequestRecord> records = RunPlan(plan);
    EXPECT_EQ(records[0].worker, 2);
    EXPECT_EQ(records[1].worker, 2);
    ASSERT_EQ(contexts.size(), 1U);
    EXPECT_EQ(contexts[0].seed, 3U);
    EXPECT_STREQ(contexts[0].stream, "dispatch");
    ASSERT_EQ(finished.size(), wants ? 2U : 0U);
    if (!wants) continue;
    EXPECT_EQ(finished[0].worker, 2);
    EXPECT_EQ(finished[0].input_tokens, 5);  // one token, out with the second iteration
    EXPECT_EQ(finished[0].output_tokens, 1);
    EXPECT_EQ(finished[1].input_tokens, 8);
    EXPECT_EQ(finished[1].conversation, -1);
  }
}

class LongestFirst final : public QueueOrder {
 public:
  [[nodiscard]] int64_t Key(const QueuedRequest& request) const override { return -request.tokens; }
};

TEST(PolicyInjectionTest, AQueueOrderOfOnesOwn) {
  const auto plan = MakePlan({{0, 1, 2}, {kMs, 5, 1}, {kMs, 9, 1}}, 1);
  plan->workers[0].scheduler.max_num_seqs = 1;
  plan->workers[0].scheduler.queue_order = std::make_shared<QueueOrderFactory>(
      "longest", QueueOrderTraits{},
      [](const QueueOrderContext&) { return std::make_unique<LongestFirst>(); });
  const std::vector<RequestRecord> records = RunPlan(plan);
  EXPECT_EQ(records[0].finish, 20 * kMs);
  EXPECT_EQ(records[2].finish, 30 * kMs);
  EXPECT_EQ(records[1].finish, 40 * kMs);
}

// The first admitted goes, who has the most tokens in the cache.
class MostComputed final : public VictimPolicy {
 public:
  [[nodiscard]] bool IsWorse(const RunningRequest& request,
                             const RunningRequest& victim) const override {
    return request.computed > victim.computed;
  }
};

TEST(PolicyInjectionTest, AVictimOfOnesOwn) {
  for (const bool own : {false, true}) {
    // Blocks of 4 tokens, five of them: A holds three and needs none soon, B needs its second.
    const auto plan = MakePlan({{0, 9, 8}, {20 * kMs, 4, 8}}, 1);
    plan->workers[0].kv_blocks = 5;
    if (own) {
      plan->workers[0].scheduler.victim = std::make_shared<VictimFactory>(
          "most_computed", VictimTraits{},
          [](const VictimContext&) { return std::make_unique<MostComputed>(); });
    }
    const std::vector<RequestRecord> records = RunPlan(plan);
    EXPECT_EQ(records[0].preemptions > 0, own);
    EXPECT_EQ(records[1].preemptions > 0, !own);
  }
}

}  // namespace
}  // namespace tokensim
