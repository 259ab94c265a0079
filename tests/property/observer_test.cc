// The stream of events against the records of the run and the tokens and iterations of the
// reference.

#include "engine/run/observer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "tests/property/random_plan.h"
#include "tests/property/reference_simulation.h"
#include "tests/property/run_engine.h"

namespace tokensim {
namespace {

struct RequestStory {
  int arrived = 0;
  int scheduled = 0;
  int preempted = 0;
  int ended = 0;
  bool running = false;
  SimTime arrival = kUnset;
  SimTime first_scheduled = kUnset;
  SimTime first_token = kUnset;
  std::vector<SimTime> tokens;
  int32_t worker = -1;
};

struct TimedIteration {
  SimTime now = 0;
  IterationEvent event;
};

// Follows every request through its states and checks each step on the way.
class StoryObserver : public Observer {
 public:
  explicit StoryObserver(const Plan& plan) : plan_(plan), queues_(plan.workers.size()) {}

  void OnEvent(SimTime now, const Event& event) override {
    std::visit([&](const auto& e) { On(now, e); }, event);
  }

  [[nodiscard]] bool over() const { return over_; }

  std::map<int64_t, RequestStory> stories;
  std::vector<RequestRecord> ended;
  std::vector<TimedIteration> iterations;
  int64_t snapshots = 0;
  int64_t idle_snapshots = 0;

 private:
  void On(SimTime now, const ArrivedEvent& e) {
    Tick(now);
    EXPECT_EQ(e.request_id, static_cast<int64_t>(stories.size()));
    RequestStory& story = stories[e.request_id];
    ++story.arrived;
    story.arrival = now;
    story.worker = e.worker;
    EXPECT_GE(e.input_tokens, 1);
    ++QueuesOf(e.worker).waiting;
  }
  void On(SimTime now, const ScheduledEvent& e) {
    RequestStory& story = At(now, e.request_id, e.worker);
    EXPECT_FALSE(story.running);
    story.running = true;
    --QueuesOf(e.worker).waiting;
    ++QueuesOf(e.worker).running;
    if (story.scheduled++ == 0) story.first_scheduled = now;
  }
  void On(SimTime now, const FirstTokenEvent& e) {
    RequestStory& story = At(now, e.request_id, e.worker);
    EXPECT_TRUE(story.running);
    EXPECT_EQ(story.first_token, kUnset);
    story.first_token = now;
  }
  void On(SimTime now, const TokensEvent& span) {
    RequestStory& story = At(now, span.request_id, span.worker);
    EXPECT_TRUE(story.running);
    ASSERT_FALSE(span.times.empty());
    EXPECT_EQ(span.first_token_index, static_cast<int32_t>(story.tokens.size()));
    EXPECT_LE(span.times.back(), now);
    story.tokens.insert(story.tokens.end(), span.times.begin(), span.times.end());
    ends_stay_ = span.request_id;
  }
  void On(SimTime now, const PreemptedEvent& e) {
    RequestStory& story = At(now, e.request_id, e.worker);
    EXPECT_TRUE(story.running);
    EXPECT_EQ(e.generated_tokens, static_cast<int32_t>(story.tokens.size()));
    story.running = false;
    ++story.preempted;
    ++QueuesOf(e.worker).waiting;
    --QueuesOf(e.worker).running;
  }
  void On(SimTime now, const FinishedEvent& e) {
    EXPECT_EQ(ends_stay_, e.record.request_id) << "its tokens come just before";
    RequestStory& story = At(now, e.record.request_id, e.record.worker);
    EXPECT_TRUE(story.running);
    EXPECT_EQ(now, e.record.finish);
    story.running = false;
    ++story.ended;
    --QueuesOf(e.record.worker).running;
    ended.push_back(e.record);
  }
  void On(SimTime now, const RejectedEvent& e) {
    Tick(now);
    EXPECT_EQ(now, e.record.finish);
    RequestStory& story = stories[e.record.request_id];
    EXPECT_EQ(story.scheduled, 0);
    ++story.ended;
    --QueuesOf(e.record.worker).waiting;
    ended.push_back(e.record);
  }
  void On(SimTime now, const IterationEvent& iteration) {
    Tick(now);
    EXPECT_LE(iteration.kv_blocks_used,
              plan_.workers[static_cast<size_t>(iteration.worker)].kv_blocks);
    iterations.push_back({now, iteration});
  }
  void On(SimTime now, const SnapshotEvent& e) {
    Tick(now);
    ASSERT_GT(plan_.snapshot_interval, 0);
    EXPECT_EQ(now, snapshots * plan_.snapshot_interval);
    ++snapshots;
    ASSERT_EQ(e.workers.size(), plan_.workers.size());
    for (size_t i = 0; i < e.workers.size(); ++i) {
      EXPECT_EQ(e.workers[i].kv_blocks_total, plan_.workers[i].kv_blocks);
      EXPECT_GE(e.workers[i].kv_blocks_used, 0);
      EXPECT_LE(e.workers[i].kv_blocks_used, e.workers[i].kv_blocks_total);
      // Nothing runs: every block was given back. Something runs: it holds blocks.
      EXPECT_EQ(e.workers[i].running == 0, e.workers[i].kv_blocks_used == 0);
      ExpectQueues(static_cast<int32_t>(i), e.workers[i].running, e.workers[i].waiting);
      idle_snapshots += e.workers[i].running == 0 && now > 0;
    }
  }
  void On(SimTime now, const EndedEvent& e) {
    Tick(now);
    EXPECT_EQ(e.reason, EndReason::kCompleted);
    EXPECT_EQ(e.finished + e.rejected, static_cast<int64_t>(ended.size()));
    EXPECT_EQ(e.rejected, std::count_if(ended.begin(), ended.end(), [](const RequestRecord& r) {
                return r.reject_reason != RejectReason::kNone;
              }));
    EXPECT_EQ(e.unfinished, 0);
    over_ = true;
  }
  // Events that these plans do not have.
  template <typename Other>
  void On(SimTime /*now*/, const Other& /*event*/) {
    ADD_FAILURE() << "unexpected event";
  }

  void Tick(SimTime now) {
    EXPECT_FALSE(over_) << "an event after the end";
    EXPECT_GE(now, last_);
    last_ = now;
  }
  RequestStory& At(SimTime now, int64_t request_id, int32_t worker) {
    Tick(now);
    EXPECT_EQ(stories.count(request_id), 1u);
    RequestStory& story = stories[request_id];
    EXPECT_EQ(story.arrived, 1);
    EXPECT_EQ(story.ended, 0);
    EXPECT_EQ(story.worker, worker);
    return story;
  }

  struct Queues {
    int32_t waiting = 0;
    int32_t running = 0;
  };
  Queues& QueuesOf(int32_t worker) { return queues_[static_cast<size_t>(worker)]; }
  void ExpectQueues(int32_t worker, int32_t running, int32_t waiting) {
    EXPECT_EQ(waiting, QueuesOf(worker).waiting);
    // A static batch keeps the rows of its finished members.
    const WorkerPlan& plan = plan_.workers[static_cast<size_t>(worker)];
    if (plan.scheduler.policy->traits().keeps_finished) {
      EXPECT_GE(running, QueuesOf(worker).running);
    } else {
      EXPECT_EQ(running, QueuesOf(worker).running);
    }
  }

  const Plan& plan_;
  std::vector<Queues> queues_;
  SimTime last_ = 0;
  int64_t ends_stay_ = -1;
  bool over_ = false;
};

void ExpectStory(const RequestRecord& record, const RequestStory& story) {
  EXPECT_EQ(story.arrived, 1);
  EXPECT_EQ(story.ended, 1);
  EXPECT_EQ(story.arrival, record.arrival);
  EXPECT_EQ(story.first_scheduled, record.scheduled);
  EXPECT_EQ(story.first_token, record.first_token);
  EXPECT_EQ(story.preempted, record.preemptions);
  EXPECT_FALSE(story.running);
  if (record.reject_reason != RejectReason::kNone) {
    EXPECT_TRUE(story.tokens.empty());
    return;
  }
  EXPECT_EQ(story.scheduled, record.preemptions + 1);
  ASSERT_EQ(static_cast<int32_t>(story.tokens.size()), record.output_tokens);
  EXPECT_EQ(story.tokens.front(), record.first_token);
  EXPECT_EQ(story.tokens.back(), record.finish);
  SimTime max_itl = kUnset;
  for (size_t i = 1; i < story.tokens.size(); ++i) {
    EXPECT_GT(story.tokens[i], story.tokens[i - 1]);
    max_itl = std::max(max_itl, story.tokens[i] - story.tokens[i - 1]);
  }
  EXPECT_EQ(max_itl, record.max_itl);
}

void ExpectIterations(const std::vector<ReferenceIteration>& expected,
                      const std::vector<TimedIteration>& actual) {
  ASSERT_EQ(expected.size(), actual.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    SCOPED_TRACE("iteration " + std::to_string(i));
    const IterationEvent& event = actual[i].event;
    EXPECT_EQ(expected[i].end, actual[i].now);
    EXPECT_EQ(expected[i].worker, event.worker);
    EXPECT_EQ(expected[i].index, event.index);
    EXPECT_EQ(expected[i].duration, event.duration);
    EXPECT_EQ(expected[i].prefill_tokens, event.prefill_tokens);
    EXPECT_EQ(expected[i].prefill_chunks, event.prefill_chunks);
    EXPECT_EQ(expected[i].decode_tokens, event.decode_tokens);
    EXPECT_EQ(expected[i].kv_blocks_used, event.kv_blocks_used);
    EXPECT_EQ(expected[i].running, event.running);
    EXPECT_EQ(expected[i].waiting, event.waiting);
    if (testing::Test::HasFailure()) return;
  }
}

class ObserverTest : public testing::TestWithParam<const char*> {};

TEST_P(ObserverTest, EventsTellTheRecords) {
  int64_t idle_snapshots = 0;
  for (uint64_t seed = 1; seed <= Seeds(200); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomPlan(seed, {GetParam(), "least_requests"});
    StoryObserver observer(*plan);
    const Results results = RunEngine(plan, &observer, 50);
    const ReferenceResults expected = RunReference(*plan);
    EXPECT_TRUE(observer.over());
    EXPECT_TRUE(SameRecords(results.records, observer.ended)) << "in the same order";
    EXPECT_EQ(observer.stories.size(), results.records.size());
    for (const RequestRecord& record : results.records) {
      SCOPED_TRACE("request " + std::to_string(record.request_id));
      const RequestStory& story = observer.stories[record.request_id];
      ExpectStory(record, story);
      EXPECT_EQ(story.tokens, expected.token_times[static_cast<size_t>(record.request_id)]);
    }
    ExpectIterations(expected.iterations, observer.iterations);
    if (plan->snapshot_interval == 0) {
      EXPECT_EQ(observer.snapshots, 0);
    } else {
      EXPECT_GE(observer.snapshots, 1);
      // Every interval up to the end.
      EXPECT_GE(observer.snapshots, results.end_time / plan->snapshot_interval);
    }
    idle_snapshots += observer.idle_snapshots;
    if (HasFailure()) return;
  }
  EXPECT_GT(idle_snapshots, 100);
}

INSTANTIATE_TEST_SUITE_P(AllPolicies, ObserverTest,
                         testing::Values("chunked", "orca", "static", "vllm_v0"),
                         [](const auto& tested) {
                           return NameOf({tested.param, "least_requests"});
                         });

}  // namespace
}  // namespace tokensim
