// What goes in comes out: requests, tokens, time, attention work.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "engine/report/report.h"
#include "tests/property/random_plan.h"
#include "tests/property/run_engine.h"

namespace tokensim {
namespace {

class ConservationTest : public testing::TestWithParam<Policies> {};

TEST_P(ConservationTest, EveryRequestEndsOnceAndInOrderOfCauses) {
  for (uint64_t seed = 1; seed <= Seeds(200); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomPlan(seed, GetParam());
    const Results results = RunEngine(plan);
    EXPECT_EQ(results.end_reason, EndReason::kCompleted);
    const std::vector<RequestRecord> records = Sorted(results.records);
    ASSERT_EQ(static_cast<int64_t>(records.size()), plan->workload.num_requests);
    const auto source = MakeRequestSource(plan->workload, plan->seed);
    for (size_t i = 0; i < records.size(); ++i) {
      const RequestRecord& r = records[i];
      ASSERT_NE(source->Peek(), nullptr);
      const RequestInput input = *source->Peek();
      source->Pop();
      ASSERT_EQ(r.request_id, static_cast<int64_t>(i));
      EXPECT_EQ(r.arrival, input.arrival);
      EXPECT_EQ(r.input_tokens, input.input_tokens);
      EXPECT_EQ(r.output_tokens, input.output_tokens);
      if (r.reject_reason != RejectReason::kNone) {
        EXPECT_EQ(r.finish, r.arrival);
        continue;
      }
      EXPECT_LE(r.arrival, r.queued);
      EXPECT_LE(r.queued, r.scheduled);
      EXPECT_LT(r.scheduled, r.first_token);
      EXPECT_LE(r.first_token, r.finish);
      EXPECT_EQ(r.first_token == r.finish, r.output_tokens == 1);
      EXPECT_EQ(r.max_itl == kUnset, r.output_tokens == 1);
      EXPECT_LE(r.finish, results.end_time);
    }
  }
}

TEST_P(ConservationTest, WorkersDoTheWorkOfTheirRequests) {
  for (uint64_t seed = 1; seed <= Seeds(200); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomPlan(seed, GetParam());
    const Results results = RunEngine(plan);
    struct Work {
      int64_t finished = 0, prompts = 0, decodes = 0, preemptions = 0;
    };
    std::vector<Work> work(plan->workers.size());
    for (const RequestRecord& r : results.records) {
      if (r.reject_reason != RejectReason::kNone) continue;
      Work& w = work[static_cast<size_t>(r.worker)];
      ++w.finished;
      w.prompts += r.input_tokens;
      w.decodes += r.output_tokens - 1;
      w.preemptions += r.preemptions;
    }
    for (size_t i = 0; i < work.size(); ++i) {
      const WorkerStats& stats = results.workers[i];
      EXPECT_EQ(stats.finished, work[i].finished);
      EXPECT_EQ(stats.preemptions, work[i].preemptions);
      // Each recomputation computes the prompt again and gives one token in place of a decode.
      EXPECT_GE(stats.prefill_tokens, work[i].prompts);
      EXPECT_LE(stats.decode_tokens, work[i].decodes);
      EXPECT_GE(stats.decode_tokens, work[i].decodes - work[i].preemptions);
      if (work[i].preemptions == 0) {
        EXPECT_EQ(stats.prefill_tokens, work[i].prompts);
      }
      EXPECT_LE(stats.busy, results.end_time);
      EXPECT_LE(stats.max_kv_blocks_used, plan->workers[i].kv_blocks);
      EXPECT_LE(stats.max_running, plan->workers[i].scheduler.max_num_seqs);
    }
  }
}

// A timeline is a time average: its sum is the integral.
TEST_P(ConservationTest, TimelinesAddUpToTheIntegrals) {
  for (uint64_t seed = 1; seed <= Seeds(200); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomPlan(seed, GetParam());
    const Results results = RunEngine(plan);
    ASSERT_EQ(results.timelines.size(), plan->workers.size());
    for (size_t i = 0; i < plan->workers.size(); ++i) {
      const WorkerTimeline& timeline = results.timelines[i];
      const WorkerStats& stats = results.workers[i];
      ASSERT_LE(timeline.running.size(), static_cast<size_t>(plan->timeline_points));
      // The last interval may end after the run; its average is over its full width or the part
      // within the run.
      const auto integral = [&](const std::vector<double>& averages) {
        double sum = 0;
        for (size_t k = 0; k < averages.size(); ++k) {
          const SimTime start = static_cast<SimTime>(k) * timeline.interval;
          const SimTime width = std::min(timeline.interval, results.end_time - start);
          sum += averages[k] * ToSeconds(width);
        }
        return sum;
      };
      const auto seconds = [](auto nanos) { return static_cast<double>(nanos) * 1e-9; };
      const double running = seconds(stats.occupancy.running);
      EXPECT_NEAR(integral(timeline.running), running, 1e-6 + 1e-6 * running);
      const double kv_blocks = seconds(stats.occupancy.kv_blocks);
      EXPECT_NEAR(integral(timeline.kv_blocks_used), kv_blocks, 1e-6 + 1e-6 * kv_blocks);
      EXPECT_NEAR(integral(timeline.busy), ToSeconds(stats.busy), 1e-6);
      if (stats.preemptions > 0) continue;
      SimTime waited = 0;
      for (const RequestRecord& r : results.records) {
        if (r.queued != kUnset && r.worker == static_cast<int32_t>(i))
          waited += r.scheduled - r.arrival;
      }
      EXPECT_NEAR(integral(timeline.waiting), ToSeconds(waited), 1e-6 + 1e-6 * ToSeconds(waited));
    }
    if (HasFailure()) return;
  }
}

TEST_P(ConservationTest, ReportsCountEveryRequest) {
  for (uint64_t seed = 1; seed <= Seeds(100); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomPlan(seed, GetParam());
    const Report report = BuildReport(*plan, RunEngine(plan));
    EXPECT_EQ(report.finished + report.rejected_max_model_len + report.rejected_kv_capacity,
              report.total);
    EXPECT_EQ(report.unfinished, 0);
    EXPECT_EQ(report.e2e_seconds.count, report.finished);
    for (const WorkerSummary& worker : report.workers) {
      EXPECT_LE(worker.utilization, 1);
      EXPECT_LE(worker.mean_kv_utilization, 1);
      EXPECT_LE(worker.mean_running, worker.stats.max_running);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllPolicies, ConservationTest,
                         testing::Values(Policies{"chunked", "round_robin"},
                                         Policies{"chunked", "least_requests"},
                                         Policies{"orca", "round_robin"},
                                         Policies{"static", "least_requests"}),
                         [](const auto& tested) { return NameOf(tested.param); });

// Adds up what prompts and decodes attend to. Used by one run at a time.
class AttentionMeter : public ComputeModel {
 public:
  [[nodiscard]] double IterationSeconds(const IterationShape& shape) const override {
    decode_pairs_ += shape.decode_context;
    for (const PrefillChunk& chunk : shape.prefill) {
      const int64_t tokens = chunk.new_tokens;
      prefill_pairs_ += tokens * chunk.history + tokens * (tokens + 1) / 2;
    }
    return 1e-3;
  }
  [[nodiscard]] int64_t prefill_pairs() const { return prefill_pairs_; }
  [[nodiscard]] int64_t decode_pairs() const { return decode_pairs_; }

 private:
  mutable int64_t prefill_pairs_ = 0;
  mutable int64_t decode_pairs_ = 0;
};

// Without preemption a token attends to all before it and itself, whatever the chunks.
TEST(ChunkSizes, DoNotChangeTheAttentionWork) {
  for (uint64_t seed = 1; seed <= Seeds(50); ++seed) {
    for (const char* policy : {"chunked", "orca", "static"}) {
      for (const int32_t budget : {32, 33, 50, 128, 1000, 100'000}) {
        SCOPED_TRACE("seed " + std::to_string(seed) + " budget " + std::to_string(budget));
        auto plan = std::make_shared<Plan>(*RandomPlan(seed, {policy, "round_robin"}));
        const auto meter = std::make_shared<AttentionMeter>();
        for (WorkerPlan& worker : plan->workers) {
          worker.compute = meter;
          worker.kv_blocks = 1'000'000;
          worker.max_model_len = 1'000'000;
          worker.scheduler.max_num_batched_tokens = budget;
        }
        const Results results = RunEngine(plan);
        int64_t prefill_pairs = 0;
        int64_t decode_pairs = 0;
        for (const RequestRecord& r : results.records) {
          ASSERT_EQ(r.preemptions, 0);
          const int64_t input = r.input_tokens;
          const int64_t computed = input + r.output_tokens - 1;
          prefill_pairs += input * (input + 1) / 2;
          decode_pairs += computed * (computed + 1) / 2 - input * (input + 1) / 2;
        }
        EXPECT_EQ(meter->prefill_pairs(), prefill_pairs);
        EXPECT_EQ(meter->decode_pairs(), decode_pairs);
      }
    }
  }
}

}  // namespace
}  // namespace tokensim
