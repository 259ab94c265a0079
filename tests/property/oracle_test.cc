// The oracle boundary: nobody decides by the length of an output before its last token is there.
//
// A run whose requests answer longer is the same run up to the moment at which the first of them
// would have ended. Two uses of the true length are meant: a request that cannot fit is rejected
// (here all fit), and one of a single token goes to no decode worker (here none of them changes).

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "engine/base/test_cases.h"
#include "engine/policy/order/registry.h"
#include "tests/property/draws.h"
#include "tests/property/event_log.h"
#include "tests/property/random_cluster.h"
#include "tests/property/run_engine.h"

namespace tokensim {
namespace {

constexpr int32_t kMostAdded = 40;  // tokens to an output

// A cluster in which every request can be served, also when it answers longer.
std::shared_ptr<Plan> ServingCluster(uint64_t seed) {
  auto plan = RandomCluster(seed);
  // How much a conversation grows decides how many turns it has.
  plan->workload.conversations.reset();
  int64_t longest = 90;  // of classes with lengths of their own
  const TraceTable& trace = *plan->workload.trace;
  for (size_t i = 0; i < trace.input_tokens.size(); ++i) {
    longest = std::max<int64_t>(longest, trace.input_tokens[i] + trace.output_tokens[i]);
  }
  longest += kMostAdded;
  if (plan->workload.prefix_groups) longest += plan->workload.prefix_groups->tokens;
  for (WorkerPlan& worker : plan->workers) {
    const auto& order = worker.scheduler.queue_order;
    if (order != nullptr) worker.scheduler.queue_order = QueueOrders().Make(order->name());
    worker.max_model_len = std::max(worker.max_model_len, longest);
    worker.kv_blocks = std::max(worker.kv_blocks, longest / worker.block_size + 1);
  }
  return plan;
}

std::shared_ptr<Plan> WithLongerOutputs(uint64_t seed, const Plan& plan) {
  Draws draws(seed, "longer outputs");
  auto longer = std::make_shared<Plan>(plan);
  auto trace = std::make_shared<TraceTable>(*plan.workload.trace);
  for (int32_t& output : trace->output_tokens) {
    if (output > 1 && draws.OneIn(3)) output += draws.Between32(1, kMostAdded);
  }
  longer->workload.trace = std::move(trace);
  return longer;
}

// When the first request whose output is longer in the other run becomes known to end: with its
// last token, or when the iteration that brings it begins, if batches are formed ahead.
SimTime FirstDifference(const Plan& plan, const Results& results, const EventLog& log,
                        const Results& longer) {
  const std::vector<RequestRecord> others = Sorted(longer.records);
  const bool ahead =
      std::any_of(plan.workers.begin(), plan.workers.end(),
                  [](const WorkerPlan& worker) { return worker.scheduler.async_depth > 1; });
  SimTime first = kNever;
  for (const RequestRecord& r : results.records) {
    const auto id = static_cast<size_t>(r.request_id);
    if (r.reject_reason != RejectReason::kNone || id >= others.size()) continue;
    if (others[id].output_tokens == r.output_tokens) continue;
    const std::vector<SimTime>& tokens = log.tokens(r.request_id);
    first = std::min(first, ahead && tokens.size() > 1 ? tokens[tokens.size() - 2] : r.finish);
  }
  return first;
}

// Whether the events up to there are the same; counts them.
testing::AssertionResult SameUntilThen(uint64_t seed, const std::shared_ptr<Plan>& plan,
                                       int64_t* compared) {
  EventLog log;
  EventLog longer_log;
  const Results results = RunEngine(plan, &log);
  const Results longer = RunEngine(WithLongerOutputs(seed, *plan), &longer_log);
  const SimTime until = FirstDifference(*plan, results, log, longer);
  const auto expected = log.Before(until);
  const auto actual = longer_log.Before(until);
  *compared += static_cast<int64_t>(expected.size());
  const auto [want, got] =
      std::mismatch(expected.begin(), expected.end(), actual.begin(), actual.end());
  if (want == expected.end() && got == actual.end()) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "before " << until << " ns: \"" << (want == expected.end() ? "nothing" : *want)
         << "\" became \"" << (got == actual.end() ? "nothing" : *got) << '"';
}

TEST(OracleBoundary, OutputLengthsDecideNothingBeforeTheLastToken) {
  int64_t compared = 0;
  for (uint64_t seed = 1; seed <= Seeds(1000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    EXPECT_TRUE(SameUntilThen(seed, ServingCluster(seed), &compared));
    if (HasFailure()) return;
  }
  EXPECT_GE(compared, Cases(50'000));
}

// The test sees a policy that does look: sjf with oracle_output_length.
TEST(OracleBoundary, IsCrossedOnlyWhenDeclared) {
  int64_t compared = 0;
  int64_t crossed = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const auto plan = ServingCluster(seed);
    for (WorkerPlan& worker : plan->workers) {
      worker.scheduler.queue_order = QueueOrders().Make("sjf", {{"oracle_output_length", 1}});
    }
    crossed += !SameUntilThen(seed, plan, &compared);
  }
  EXPECT_GE(crossed, 10);
}

}  // namespace
}  // namespace tokensim
