#include "tests/property/causal_observer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/worker/local_scheduler.h"
#include "tests/property/reference_layout.h"

namespace tokensim {

CausalObserver::CausalObserver(const Plan& plan)
    : plan_(plan),
      moves_caches_(plan.memory_pool || plan.migrate_on_pressure || !plan.worker_events.empty()),
      present_(plan.workers.size()),
      present_since_(plan.workers.size()),
      busy_until_(plan.workers.size()),
      lockstep_(plan.workers.size()),
      pauses_(plan.workers.size()),
      outgoing_(plan.workers.size()) {
  for (size_t i = 0; i < plan.workers.size(); ++i) {
    const WorkerPlan& worker = plan.workers[i];
    if (!worker.serving) pauses_[i].push_back({});
    const LocalSchedulerFactory* policy = worker.scheduler.policy.get();
    const auto fills = policy == nullptr ? nullptr : policy->traits().fills_batches;
    waits_.push_back(fills != nullptr && fills(policy->values()));
    moves_caches_ = moves_caches_ || worker.role != Role::kBoth || worker.overlap_swap;
  }
}

void CausalObserver::Tick(SimTime now) {
  EXPECT_FALSE(over_) << "an event after the end";
  EXPECT_GE(now, last_) << "time goes back";
  last_ = now;
}

CausalObserver::Story& CausalObserver::At(SimTime now, int64_t id, int32_t worker) {
  Tick(now);
  EXPECT_TRUE(stories_.contains(id)) << id;
  Story& story = stories_[id];
  EXPECT_EQ(story.ends, 0) << id;
  EXPECT_EQ(story.worker, worker) << id;
  return story;
}

void CausalObserver::Enter(Story* story, int32_t worker, SimTime now) {
  story->worker = worker;
  story->present = worker >= 0;
  if (!story->present) return;
  const auto i = static_cast<size_t>(worker);
  if (present_[i]++ == 0) present_since_[i] = now;
}

void CausalObserver::Leave(Story* story) {
  if (story->present) --present_[static_cast<size_t>(story->worker)];
  story->present = false;
}

void CausalObserver::On(SimTime now, const ArrivedEvent& e) {
  Tick(now);
  EXPECT_EQ(e.request_id, static_cast<int64_t>(stories_.size()));
  Story& story = stories_[e.request_id];
  story.arrival = now;
  story.input = e.input_tokens;
  EXPECT_GE(e.input_tokens, 1);
  Enter(&story, e.worker, now);
}

void CausalObserver::On(SimTime now, const ScheduledEvent& e) {
  Story& story = At(now, e.request_id, e.worker);
  EXPECT_FALSE(story.running) << e.request_id;
  if (story.may_begin_again) Forget(&story);
  EXPECT_EQ(story.comes_from, -1) << e.request_id << " runs before its KV cache has come";
  EXPECT_EQ(story.in_host, 0) << e.request_id << " runs while its KV cache is in host memory";
  story.running = true;
  story.scheduled_at = now;
  if (story.scheduled++ == 0) story.first_scheduled = now;
}

void CausalObserver::On(SimTime now, const FirstTokenEvent& e) {
  Story& story = At(now, e.request_id, e.worker);
  EXPECT_EQ(story.first_token, kUnset) << e.request_id;
  EXPECT_TRUE(story.tokens.empty()) << e.request_id;
  story.first_token = now;
}

void CausalObserver::On(SimTime now, const TokensEvent& span) {
  Story& story = At(now, span.request_id, span.worker);
  ASSERT_FALSE(span.times.empty());
  EXPECT_EQ(span.first_token_index, static_cast<int32_t>(story.tokens.size())) << span.request_id;
  for (const SimTime time : span.times) {
    if (!story.tokens.empty()) {
      EXPECT_GT(time, story.tokens.back()) << span.request_id;
    }
    EXPECT_GT(time, story.scheduled_at) << span.request_id;
    EXPECT_GT(time, story.moved) << span.request_id;
    EXPECT_LE(time, now) << span.request_id;
    story.tokens.push_back(time);
  }
  // Done here, also when there is no worker yet to go on with it.
  if (plan_.workers[static_cast<size_t>(span.worker)].role == Role::kPrefill) Leave(&story);
  tokens_in_order_of_ = span.request_id;
}

void CausalObserver::On(SimTime now, const PreemptedEvent& e) {
  Story& story = At(now, e.request_id, e.worker);
  EXPECT_TRUE(story.running) << e.request_id;
  EXPECT_EQ(e.generated_tokens, static_cast<int32_t>(story.tokens.size())) << e.request_id;
  story.running = false;
  ++story.preempted;
}

void CausalObserver::On(SimTime now, const SwappedEvent& swap) {
  Story& story = At(now, swap.request_id, swap.worker);
  EXPECT_FALSE(story.running);
  EXPECT_GE(swap.blocks, 1);
  EXPECT_EQ(story.in_host, swap.out ? 0 : swap.blocks);
  EXPECT_EQ(swap.generated_tokens, static_cast<int32_t>(story.tokens.size()));
  story.in_host = swap.out ? swap.blocks : 0;
  swaps_out += swap.out;
  if (!swap.out) story.moved = now;
}

void CausalObserver::On(SimTime now, const TransferredEvent& transfer) {
  Story& story = At(now, transfer.request_id, transfer.to);
  // A blocking fetch is told when the iteration that began with it has ended.
  const bool blocking =
      transfer.from < 0 && plan_.memory_pool && plan_.memory_pool->load == PoolLoad::kBlocking;
  EXPECT_EQ(story.running, blocking) << transfer.request_id;
  if (blocking) {
    EXPECT_GE(transfer.start, story.scheduled_at);
  }
  EXPECT_LE(transfer.start, now);
  EXPECT_GE(transfer.tokens, 1);
  const auto& to = plan_.workers[static_cast<size_t>(transfer.to)];
  const auto generated = static_cast<int32_t>(story.tokens.size());
  story.moved = blocking ? transfer.start : now;
  if (transfer.from < 0) {
    ++fetches;
    EXPECT_EQ(transfer.tokens % to.block_size, 0);
    EXPECT_LT(transfer.tokens, story.input + generated);
    return;
  }
  ++transfers;
  EXPECT_EQ(story.comes_from, transfer.from) << transfer.request_id;
  EXPECT_EQ(transfer.tokens, story.input + generated - 1) << "all but the last";
  const auto& from = plan_.workers[static_cast<size_t>(transfer.from)];
  EXPECT_EQ(transfer.bytes, CacheBytes(from, transfer.tokens));
  Forget(&story);
}

// No KV cache is to come any more.
void CausalObserver::Forget(Story* story) {
  if (story->comes_from >= 0) --outgoing_[static_cast<size_t>(story->comes_from)];
  story->comes_from = -1;
  story->may_begin_again = false;
}

void CausalObserver::On(SimTime now, const DispatchedEvent& e) {
  Story& story = At(now, e.request_id, e.from);
  Leave(&story);
  story.running = false;
  story.in_host = 0;
  const auto leaves_cache = [this](int32_t worker) {
    return worker >= 0 && !plan_.workers[static_cast<size_t>(worker)].drops_cache;
  };
  if (e.reason == DispatchReason::kWorkerFailed) {
    // It begins again; or it only has to find another receiver for a cache that waits where it was.
    ++lost_workers;
    story.may_begin_again = true;
  } else if (leaves_cache(e.from) && story.comes_from < 0) {
    EXPECT_FALSE(story.tokens.empty()) << e.request_id;
    story.comes_from = e.from;
    ++outgoing_[static_cast<size_t>(e.from)];
  }
  migrations += e.reason == DispatchReason::kMigrated;
  Enter(&story, e.to, now);
}

void CausalObserver::On(SimTime now, const FinishedEvent& e) {
  EXPECT_EQ(tokens_in_order_of_, e.record.request_id) << "its tokens come just before";
  Story& story = At(now, e.record.request_id, e.record.worker);
  EXPECT_TRUE(story.running);
  EXPECT_EQ(now, e.record.finish);
  story.running = false;
  ++story.ends;
  Leave(&story);
  ended_.push_back(e.record);
}

void CausalObserver::On(SimTime now, const RejectedEvent& e) {
  Story& story = At(now, e.record.request_id, e.record.worker);
  // One that was prefilled may wait for a decode worker until the end of the run.
  EXPECT_TRUE(!story.running || e.record.reject_reason == RejectReason::kNoWorker);
  EXPECT_EQ(now, e.record.finish);
  ++story.ends;
  Leave(&story);
  Forget(&story);
  ended_.push_back(e.record);
}

void CausalObserver::On(SimTime now, const IterationEvent& iteration) {
  Tick(now);
  ++iterations_;
  const auto i = static_cast<size_t>(iteration.worker);
  const SimTime start = now - iteration.duration;
  EXPECT_GE(iteration.duration, 1);
  EXPECT_GE(start, busy_until_[i]) << "two iterations at once";
  EXPECT_GT(present_[i] + outgoing_[i], 0);
  EXPECT_LE(iteration.kv_blocks_used, plan_.workers[i].kv_blocks);
  EXPECT_LE(iteration.running, plan_.workers[i].scheduler.max_num_seqs);
  EXPECT_GE(iteration.decode_tokens + iteration.prefill_tokens, 1);
  for (const Pause& pause : pauses_[i]) {
    EXPECT_TRUE(start < pause.from || start >= pause.until)
        << "worker " << i << " begins an iteration at " << start << " although it is down";
  }
  SimTime busy_until = busy_until_[i];
  if (const int32_t first = plan_.workers[i].lockstep_first; first >= 0) {
    Lockstep& ranks = lockstep_[static_cast<size_t>(first)];
    if (now > ranks.until) ranks = {.until = now, .before = ranks.until};
    EXPECT_GE(start, ranks.before) << "ranks in lock-step apart";
    busy_until = ranks.before;
  }
  if (!moves_caches_ && !waits_[i] && start > busy_until) {
    EXPECT_EQ(start, present_since_[i]) << "worker " << i << " idles beside its queue";
  }
  busy_until_[i] = now;
}

void CausalObserver::On(SimTime now, const SnapshotEvent& e) {
  Tick(now);
  EXPECT_GE(e.pool_bytes, 0);
  if (plan_.memory_pool && plan_.memory_pool->capacity_bytes > 0) {
    EXPECT_LE(e.pool_bytes, plan_.memory_pool->capacity_bytes);
  }
  ASSERT_EQ(e.workers.size(), plan_.workers.size());
  for (size_t i = 0; i < e.workers.size(); ++i) {
    const WorkerSnapshot& worker = e.workers[i];
    EXPECT_EQ(worker.kv_blocks_total, plan_.workers[i].kv_blocks);
    EXPECT_GE(worker.kv_blocks_used, 0);
    EXPECT_LE(worker.kv_blocks_used, worker.kv_blocks_total);
    EXPECT_LE(worker.cached_blocks, worker.kv_blocks_total - worker.kv_blocks_used);
    EXPECT_GE(worker.host_blocks_used, 0);
    EXPECT_LE(worker.host_blocks_used, worker.host_blocks_total);
    EXPECT_GE(worker.waiting, 0);
    EXPECT_GE(worker.running, 0);
    // What a layer-wise transfer or a failure holds shows in no event; memory_conservation_test.cc
    // looks into the workers.
    if (present_[i] + outgoing_[i] > 0 || !plan_.worker_events.empty()) continue;
    if (plan_.network.mode == TransferMode::kLayerwise) continue;
    EXPECT_EQ(worker.kv_blocks_used, 0) << "worker " << i << " holds blocks for nobody";
    EXPECT_EQ(worker.host_blocks_used, 0) << "worker " << i;
    EXPECT_EQ(worker.running, 0) << "worker " << i;
    EXPECT_EQ(worker.waiting, 0) << "worker " << i;
  }
}

void CausalObserver::On(SimTime now, const WorkerChangedEvent& e) {
  Tick(now);
  ASSERT_LT(e.worker, static_cast<int32_t>(plan_.workers.size()));
  std::vector<Pause>& pauses = pauses_[static_cast<size_t>(e.worker)];
  const bool down = !pauses.empty() && pauses.back().until == kNever;
  const bool serves = e.status == WorkerStatus::kServing || e.status == WorkerStatus::kDraining;
  if (serves && down) pauses.back().until = now;
  if (!serves && !down) pauses.push_back({.from = now});
  // A request that lost its worker, and finds no other, is nowhere: that is not told.
  const bool fails =
      std::any_of(plan_.worker_events.begin(), plan_.worker_events.end(),
                  [](const WorkerEvent& event) { return event.action == WorkerAction::kFail; });
  if (e.status == WorkerStatus::kStopped && !fails) {
    EXPECT_EQ(present_[static_cast<size_t>(e.worker)], 0) << "stopped with requests";
  }
}

void CausalObserver::On(SimTime now, const EndedEvent& e) {
  Tick(now);
  EXPECT_EQ(e.reason, EndReason::kCompleted);
  EXPECT_EQ(e.finished + e.rejected, static_cast<int64_t>(ended_.size()));
  EXPECT_EQ(e.unfinished, 0);
  for (size_t i = 0; i < present_.size(); ++i) {
    EXPECT_EQ(present_[i], 0) << "worker " << i;
    EXPECT_EQ(outgoing_[i], 0) << "worker " << i;
  }
  over_ = true;
}

void CausalObserver::ExpectRecord(const RequestRecord& record, const Story& story) const {
  EXPECT_EQ(story.ends, 1);
  EXPECT_EQ(story.arrival, record.arrival);
  EXPECT_EQ(story.input, record.input_tokens);
  if (record.reject_reason != RejectReason::kNone) return;
  EXPECT_EQ(story.first_scheduled, record.scheduled);
  EXPECT_EQ(story.first_token, record.first_token);
  EXPECT_EQ(story.preempted, record.preemptions);
  EXPECT_LE(record.arrival, record.queued);
  EXPECT_LE(record.queued, record.scheduled);
  EXPECT_LT(record.scheduled, record.first_token);
  EXPECT_LE(record.first_token, record.finish);
  ASSERT_EQ(static_cast<int32_t>(story.tokens.size()), record.output_tokens);
  EXPECT_EQ(story.tokens.front(), record.first_token);
  EXPECT_EQ(story.tokens.back(), record.finish);
  SimTime longest = kUnset;
  for (size_t i = 1; i < story.tokens.size(); ++i) {
    longest = std::max(longest, story.tokens[i] - story.tokens[i - 1]);
  }
  EXPECT_EQ(longest, record.max_itl);
}

void CausalObserver::ExpectComplete(const Results& results) const {
  EXPECT_TRUE(over_);
  EXPECT_EQ(results.arrived, static_cast<int64_t>(stories_.size()));
  EXPECT_EQ(results.migrations, migrations);
  ASSERT_EQ(results.records.size(), ended_.size());
  int64_t iterations = 0;
  for (const WorkerStats& stats : results.workers) iterations += stats.iterations;
  EXPECT_EQ(iterations, iterations_);
  for (size_t i = 0; i < ended_.size(); ++i) {
    const RequestRecord& record = results.records[i];
    SCOPED_TRACE("request " + std::to_string(record.request_id));
    EXPECT_EQ(record.request_id, ended_[i].request_id) << "in the same order";
    ExpectRecord(record, stories_.at(record.request_id));
  }
}

}  // namespace tokensim
