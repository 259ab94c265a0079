#include "engine/io/events/replay_reader.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/base/rng.h"
#include "engine/cluster/simulation.h"
#include "engine/io/events/replay_test_plan.h"
#include "gtest/gtest.h"

namespace tokensim {
namespace {

using Outcome = ReplayReader::Outcome;
using Body = v1::Event::BodyCase;

// Reads up to the end, or at most `max_batches` batches that move the cursor.
struct Reading {
  std::vector<v1::Event> events;
  int64_t covered = 0;
  bool ended = false;
  absl::Status status;
};

Reading Read(const std::shared_ptr<const Plan>& plan, const ReplayOptions& options,
             int64_t slice = 1000, int max_batches = -1) {
  ReplayReader reader(plan, options);
  Reading out;
  v1::EventBatch batch;
  Outcome outcome = Outcome::kYield;
  while (max_batches != 0 && (outcome == Outcome::kYield || outcome == Outcome::kBatch)) {
    outcome = reader.Read(slice, &batch);
    for (const v1::Event& event : batch.events()) {
      EXPECT_LE(event.sequence(), batch.covered_through());
      EXPECT_GT(event.sequence(), out.covered);
      out.events.push_back(event);
    }
    EXPECT_GE(batch.covered_through(), out.covered);
    out.covered = batch.covered_through();
    if (out.covered > options.after_sequence) --max_batches;
  }
  out.ended = reader.ended();
  out.status = reader.status();
  return out;
}

std::string Bytes(const std::vector<v1::Event>& events) {
  v1::EventBatch batch;
  for (const auto& event : events) *batch.add_events() = event;
  return batch.SerializeAsString();
}

v1::EventKind KindOf(const v1::Event& event) {
  // The numbers of the body fields follow those of the kinds.
  return static_cast<v1::EventKind>(static_cast<int>(event.body_case()) - 2);
}

// What a filter asks an event for; no request or no workers: it does not ask.
struct About {
  int64_t request = -1;
  std::vector<int32_t> workers;
};

About AboutOf(const v1::Event& e) {
  switch (e.body_case()) {
    case Body::kRequestArrived:
      return {e.request_arrived().request_id(), {e.request_arrived().worker()}};
    case Body::kRequestScheduled:
      return {e.request_scheduled().request_id(), {e.request_scheduled().worker()}};
    case Body::kFirstToken:
      return {e.first_token().request_id(), {e.first_token().worker()}};
    case Body::kTokenBatch:
      return {e.token_batch().request_id(), {e.token_batch().worker()}};
    case Body::kRequestPreempted:
      return {e.request_preempted().request_id(), {e.request_preempted().worker()}};
    case Body::kRequestFinished:
      return {e.request_finished().record().request_id(), {e.request_finished().record().worker()}};
    case Body::kRequestRejected:
      return {e.request_rejected().record().request_id(), {e.request_rejected().record().worker()}};
    case Body::kIteration:
      return {-1, {e.iteration().worker()}};
    case Body::kRequestSwapped:
      return {e.request_swapped().request_id(), {e.request_swapped().worker()}};
    case Body::kKvTransferred:
      return {e.kv_transferred().request_id(),
              {e.kv_transferred().from_worker(), e.kv_transferred().to_worker()}};
    case Body::kRequestDispatched:
      return {e.request_dispatched().request_id(),
              {e.request_dispatched().from_worker(), e.request_dispatched().to_worker()}};
    case Body::kWorkerChanged:
      return {-1, {e.worker_changed().worker()}};
    case Body::kOperatorLog:
      return {-1, {e.operator_log().worker()}};
    default:
      return {};
  }
}

// The filter's meaning, written down a second time, without the sampling.
bool Wanted(const v1::Event& event, const v1::EventFilter& filter) {
  if (event.has_simulation_ended()) return true;
  const auto has = [](const auto& list, auto value) {
    return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
  };
  if (!has(filter.kinds(), static_cast<int>(KindOf(event)))) return false;
  if (event.time_ns() < filter.start_time_ns()) return false;
  if (filter.end_time_ns() > 0 && event.time_ns() >= filter.end_time_ns()) return false;
  const About about = AboutOf(event);
  const bool of_wanted_worker =
      about.workers.empty() || std::any_of(about.workers.begin(), about.workers.end(),
                                           [&](int32_t w) { return has(filter.workers(), w); });
  return of_wanted_worker && (about.request < 0 || has(filter.requests().ids(), about.request));
}

void ExpectWholeStream(const std::shared_ptr<const Plan>& plan, size_t kinds_of_events) {
  const Reading all = Read(plan, {});
  ASSERT_TRUE(all.status.ok()) << all.status;
  ASSERT_FALSE(all.events.empty());
  std::set<v1::EventKind> kinds;
  int64_t sequence = 0;
  int64_t time = 0;
  for (const v1::Event& event : all.events) {
    EXPECT_EQ(event.sequence(), ++sequence);
    EXPECT_GE(event.time_ns(), time);
    time = event.time_ns();
    kinds.insert(KindOf(event));
  }
  EXPECT_TRUE(all.events.back().has_simulation_ended());
  EXPECT_TRUE(all.ended);
  EXPECT_EQ(all.covered, sequence);
  EXPECT_EQ(kinds.size(), kinds_of_events);
}

TEST(ReplayReader, NumbersEveryEventAndEndsWithSimulationEnded) {
  ExpectWholeStream(MakeTestPlan(300), 10);
  // Every kind there is.
  ExpectWholeStream(MakeClusterTestPlan(300), static_cast<size_t>(v1::EventKind_ARRAYSIZE - 1));
}

TEST(ReplayReader, EventsOfClustersAddUp) {
  const auto plan = MakeClusterTestPlan(300);
  const Reading all = Read(plan, {});
  std::map<int64_t, int64_t> swapped;  // bytes in host memory, by request
  std::map<int64_t, int32_t> at;       // the worker of each request
  std::map<int32_t, v1::WorkerState> states;
  int64_t host_bytes = 0;
  for (const v1::Event& event : all.events) {
    if (event.has_request_arrived()) {
      at[event.request_arrived().request_id()] = event.request_arrived().worker();
    } else if (event.has_request_dispatched()) {
      const v1::RequestDispatched& body = event.request_dispatched();
      EXPECT_EQ(at[body.request_id()], body.from_worker());
      EXPECT_NE(body.reason(), v1::DISPATCH_REASON_UNSPECIFIED);
      at[body.request_id()] = body.to_worker();
    } else if (event.has_kv_transferred()) {
      const v1::KvTransferred& body = event.kv_transferred();
      EXPECT_EQ(at[body.request_id()], body.to_worker());
      EXPECT_EQ(body.bytes(), 1000 * body.tokens());
      EXPECT_LT(body.start_time_ns(), event.time_ns());
    } else if (event.has_request_swapped()) {
      const v1::RequestSwapped& body = event.request_swapped();
      EXPECT_GT(body.bytes(), 0);
      EXPECT_EQ(body.bytes() % 16'000, 0);  // whole blocks
      EXPECT_GT(body.generated_tokens(), 0);
      if (!body.out()) {
        EXPECT_EQ(swapped[body.request_id()], body.bytes());
      }
      swapped[body.request_id()] = body.out() ? body.bytes() : 0;
    } else if (event.has_worker_changed()) {
      const v1::WorkerChanged& body = event.worker_changed();
      EXPECT_EQ(body.worker(), 2);
      EXPECT_NE(states[2], body.state());
      states[2] = body.state();
    } else if (event.has_operator_log()) {
      const v1::OperatorLog& body = event.operator_log();
      EXPECT_EQ(body.operator_name(), "iteration");
      EXPECT_EQ(body.worker(), 0);
      EXPECT_EQ(body.layer(), -1);
      EXPECT_EQ(body.start_time_ns() + body.duration_ns(), event.time_ns());
    } else if (event.has_memory_snapshot()) {
      for (const v1::WorkerMemory& memory : event.memory_snapshot().workers()) {
        EXPECT_EQ(memory.host_bytes_total(), 60 * 16'000);
        host_bytes = std::max(host_bytes, memory.host_bytes_used());
      }
    }
  }
  EXPECT_EQ(states[2], v1::WORKER_STATE_SERVING);
  EXPECT_GT(host_bytes, 0);
}

TEST(ReplayReader, TokensOfARequestAddUpToItsOutput) {
  const Reading all = Read(MakeTestPlan(200), {});
  std::map<int64_t, int64_t> tokens;
  std::map<int64_t, int64_t> last_token;
  for (const v1::Event& event : all.events) {
    if (event.has_token_batch()) {
      const v1::TokenBatch& batch = event.token_batch();
      EXPECT_EQ(tokens[batch.request_id()], batch.first_token_index());
      tokens[batch.request_id()] += 1 + batch.gap_ns_size();
      int64_t time = batch.first_token_time_ns();
      for (const int64_t gap : batch.gap_ns()) time += gap;
      last_token[batch.request_id()] = time;
    } else if (event.has_request_finished()) {
      const v1::RequestRecord& record = event.request_finished().record();
      EXPECT_EQ(tokens[record.request_id()], record.output_tokens());
      EXPECT_EQ(last_token[record.request_id()], record.finish_ns());
    }
  }
}

TEST(ReplayReader, ObservingDoesNotChangeTheRun) {
  const auto plan = MakeTestPlan(200);
  Simulation alone(plan);
  while (!alone.done()) ASSERT_TRUE(alone.Advance(1000).ok());
  const Reading all = Read(plan, {});
  const v1::SimulationEnded& ended = all.events.back().simulation_ended();
  EXPECT_EQ(ended.finished() + ended.rejected() + ended.unfinished(), 200);
  EXPECT_EQ(all.events.back().time_ns(), alone.results().end_time);
}

TEST(ReplayReader, BatchesKeepTheirSizeUpToOneEvent) {
  ReplayOptions options;
  options.max_batch_bytes = 2048;
  ReplayReader reader(MakeTestPlan(200), options);
  v1::EventBatch batch;
  Outcome outcome = Outcome::kYield;
  int full = 0;
  while (outcome != Outcome::kEnd) {
    outcome = reader.Read(1'000'000, &batch);
    ASSERT_NE(outcome, Outcome::kFailed);
    if (outcome != Outcome::kBatch) continue;
    ++full;
    v1::EventBatch without_last = batch;
    without_last.mutable_events()->RemoveLast();
    without_last.clear_covered_through();
    EXPECT_LT(without_last.ByteSizeLong(), 2048u);
    EXPECT_GE(batch.ByteSizeLong(), 2048u);
  }
  EXPECT_GT(full, 10);
}

TEST(ReplayReader, ReadMoreAddsToTheBatch) {
  const auto plan = MakeTestPlan(50);
  const Reading all = Read(plan, {});
  ReplayReader reader(plan, {.max_batch_bytes = 1 << 20});
  v1::EventBatch batch;
  Outcome outcome = reader.Read(1, &batch);
  while (outcome == Outcome::kYield) outcome = reader.ReadMore(3, &batch);
  ASSERT_EQ(outcome, Outcome::kEnd);
  std::vector<v1::Event> events(batch.events().begin(), batch.events().end());
  EXPECT_EQ(Bytes(events), Bytes(all.events));
}

TEST(ReplayReader, StopsAtUntilSequence) {
  const auto plan = MakeTestPlan(50);
  const Reading all = Read(plan, {});
  const Reading some = Read(plan, {.after_sequence = 10, .until_sequence = 25});
  EXPECT_EQ(Bytes(some.events), Bytes({all.events.begin() + 10, all.events.begin() + 25}));
  EXPECT_EQ(some.covered, 25);
  EXPECT_FALSE(some.ended);
}

TEST(ReplayReader, CursorAtTheEndGivesNothingBeyondItIsAnError) {
  const auto plan = MakeTestPlan(50);
  const Reading all = Read(plan, {});
  const Reading none = Read(plan, {.after_sequence = all.covered});
  EXPECT_TRUE(none.status.ok());
  EXPECT_TRUE(none.events.empty());
  EXPECT_EQ(none.covered, all.covered);
  const Reading beyond = Read(plan, {.after_sequence = all.covered + 1});
  EXPECT_EQ(beyond.status.code(), absl::StatusCode::kOutOfRange);
}

v1::EventFilter RandomFilter(RngStream& rng, int64_t end_time) {
  v1::EventFilter filter;
  for (int kind = 1; kind < v1::EventKind_ARRAYSIZE; ++kind) {
    if (rng.Below(3) == 0) filter.add_kinds(static_cast<v1::EventKind>(kind));
  }
  if (rng.Below(2) == 0) filter.add_workers(static_cast<int32_t>(rng.Below(3)));
  if (rng.Below(2) == 0) {
    for (int i = 0; i < 20; ++i) {
      filter.mutable_requests()->add_ids(static_cast<int64_t>(rng.Below(150)));
    }
  }
  if (rng.Below(2) == 0) {
    const auto end = static_cast<uint64_t>(end_time);
    filter.set_start_time_ns(static_cast<int64_t>(rng.Below(end)));
    filter.set_end_time_ns(filter.start_time_ns() + 1 + static_cast<int64_t>(rng.Below(end)));
  }
  return filter;
}

// A stream that is cut anywhere and resumed after covered_through, again and again, is the stream.
TEST(ReplayReader, CutStreamsJoinToTheWhole) {
  RngStream rng(7, "cuts");
  for (int round = 0; round < 40; ++round) {
    const uint64_t seed = rng.Next() >> 1;
    const auto plan = round % 2 == 0 ? MakeTestPlan(150, seed) : MakeClusterTestPlan(150, seed);
    const Reading all = Read(plan, {});
    ReplayOptions options;
    options.filter = RandomFilter(rng, all.events.back().time_ns());
    std::vector<v1::Event> wanted;
    for (const v1::Event& event : all.events) {
      if (Wanted(event, options.filter)) wanted.push_back(event);
    }
    const bool sampled = rng.Below(3) == 0;
    if (sampled) {
      options.filter.mutable_requests()->set_sample_fraction(rng.UniformPositive());
      wanted = Read(plan, options).events;
    }
    std::vector<v1::Event> joined;
    bool ended = false;
    while (!ended) {
      options.max_batch_bytes = static_cast<int32_t>(1024 + rng.Below(20'000));
      const Reading part = Read(plan, options, static_cast<int64_t>(1 + rng.Below(2000)),
                                static_cast<int>(1 + rng.Below(20)));
      ASSERT_TRUE(part.status.ok()) << part.status;
      ASSERT_GE(part.covered, options.after_sequence);
      joined.insert(joined.end(), part.events.begin(), part.events.end());
      options.after_sequence = part.covered;
      ended = part.ended;
    }
    ASSERT_EQ(Bytes(joined), Bytes(wanted)) << "round " << round;
  }
}

}  // namespace
}  // namespace tokensim
