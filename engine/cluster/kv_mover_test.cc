#include "engine/cluster/kv_mover.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "engine/base/invariant.h"
#include "engine/cluster/test_plan.h"
#include "engine/policy/defaults.h"

namespace tokensim {
namespace {

class KvMoverTest : public testing::Test {
 protected:
  KvMoverTest() {
    std::vector<WorkerPlan> workers(3, MakeWorker(Role::kBoth));
    workers[0].overlap_swap = true;
    workers[0].host_link = {.bandwidth_bytes_per_second = 1e6};
    plan_ = WithDefaultPolicies(MakePlan({}, workers));
    signals_.Resize(3);
    for (const WorkerPlan& worker : plan_->workers) {
      workers_.emplace_back(worker, static_cast<int32_t>(workers_.size()), 16,
                            Worker::Context{.slab = slab_,
                                            .token_times = token_times_,
                                            .ended = ended_,
                                            .signals = signals_,
                                            .observer = nullptr,
                                            .migration = nullptr,
                                            .pool = nullptr,
                                            .report_ends = false,
                                            .layerwise = false,
                                            .classes = 1,
                                            .response_delay = 0});
    }
    mover_ = std::make_unique<KvMover>(*plan_, &slab_, &workers_, &boundaries_, nullptr, nullptr);
  }

  // A request whose cache of 5 tokens waits at `from`, to go to `to`.
  RequestHandle Keep(int32_t from, int32_t to) {
    const RequestHandle handle = slab_.Allocate();
    slab_[handle].computed = 5;
    mover_->Keep(handle, from);
    mover_->Address(slab_[handle], to);
    return handle;
  }

  std::shared_ptr<const Plan> plan_;
  RequestSlab slab_;
  std::vector<SimTime> token_times_;
  EndedRequests ended_{nullptr};
  WorkerSignals signals_;
  EventQueue queue_;
  std::deque<Worker> workers_;
  Boundaries boundaries_{&workers_, &queue_};
  std::unique_ptr<KvMover> mover_;
};

TEST_F(KvMoverTest, ACacheWaitsWhereItWasComputed) {
  const LiveRequest& r = slab_[Keep(0, 1)];
  EXPECT_EQ(r.kv_source, KvSource::kWorker);
  EXPECT_EQ(r.kv_tokens, 5);
  EXPECT_EQ(mover_->sender(r), 0);
  EXPECT_FALSE(mover_->lost(r));
  EXPECT_EQ(mover_->next_event(), kNever);
}

TEST_F(KvMoverTest, MovesOfAWorkerComeInTheOrderInWhichTheyWereMade) {
  LiveRequest& first = slab_[Keep(0, 1)];
  const uint32_t second = slab_[Keep(1, 2)].move;
  mover_->Drop(&first);
  const uint32_t third = slab_[Keep(2, 1)].move;  // in the place of the first
  EXPECT_LT(third, second);
  EXPECT_EQ(mover_->MovesOf(1), (std::vector<uint32_t>{second, third}));
  EXPECT_TRUE(mover_->MovesOf(0).empty());
}

TEST_F(KvMoverTest, AWaitingCacheIsLostWithItsSender) {
  LiveRequest& r = slab_[Keep(0, 1)];
  EXPECT_FALSE(mover_->CutOff(r.move, 0, 10));
  EXPECT_TRUE(mover_->lost(r));
  mover_->GiveUp(&r, 20);
  EXPECT_EQ(r.move, kNoMove);
  EXPECT_EQ(r.kv_source, KvSource::kNone);
  EXPECT_TRUE(mover_->MovesOf(0).empty());
}

TEST_F(KvMoverTest, AWaitingCacheOutlivesItsReceiver) {
  LiveRequest& r = slab_[Keep(0, 1)];
  EXPECT_FALSE(mover_->CutOff(r.move, 1, 10));
  EXPECT_FALSE(mover_->lost(r));
  mover_->Address(r, 2);
  EXPECT_EQ(mover_->MovesOf(2), std::vector<uint32_t>{r.move});
}

TEST_F(KvMoverTest, ACacheThatIsLoadedMovesOverTheNetwork) {
  LiveRequest& r = slab_[Keep(0, 1)];
  mover_->Load(1, 0, 10 * kMs);
  EXPECT_EQ(mover_->next_event(), 13 * kMs);
  // Its receiver fails: the cache is where it was, for another one.
  EXPECT_FALSE(mover_->CutOff(r.move, 1, 11 * kMs));
  EXPECT_EQ(mover_->next_event(), kNever);
  mover_->Address(r, 2);
  mover_->Load(2, 0, 12 * kMs);
  EXPECT_EQ(mover_->next_event(), 15 * kMs);
}

TEST_F(KvMoverTest, SwapsShareTheLinkToHostMemory) {
  mover_->SwapOut(0, 2, 0);  // 2 blocks of 4 tokens of 1,000 bytes: 8 ms
  mover_->SwapOut(0, 1, 0);
  EXPECT_EQ(mover_->MovesOf(0).size(), 2u);
  while (mover_->next_event() != kNever) mover_->Advance(mover_->next_event());
  EXPECT_TRUE(mover_->MovesOf(0).empty());
  std::vector<LinkSummary> links;
  mover_->Conclude(20 * kMs, &links);
  ASSERT_EQ(links.size(), 1u);
  EXPECT_EQ(links[0].name, "gpu host");
  EXPECT_EQ(links[0].transfers, 2);
  EXPECT_EQ(links[0].bytes, 12'000);
  EXPECT_EQ(links[0].busy, 12 * kMs);
}

TEST_F(KvMoverTest, ACacheIsLoadedOnceUnlessItsReceiverFails) {
  LiveRequest& r = slab_[Keep(0, 1)];
  mover_->Load(1, 0, 10 * kMs);
  EXPECT_THROW(mover_->Load(1, 0, 11 * kMs), InvariantError);
  EXPECT_FALSE(mover_->CutOff(r.move, 1, 11 * kMs));
  EXPECT_NO_THROW(mover_->Load(1, 0, 12 * kMs));
}

TEST_F(KvMoverTest, WhatGoesAheadCountsWhereItGoes) {
  const RequestHandle handle = slab_.Allocate();
  LiveRequest& r = slab_[handle];
  r.input_tokens = 5;
  r.output_tokens = 3;
  r.sent_kv_tokens = 77;  // of the worker that computes it
  ASSERT_TRUE(mover_->BeginAhead(handle, 0, 1, 5, 0));
  r.computed = 5;
  mover_->Leave(handle, DispatchReason::kPrefilled, kMs);
  EXPECT_EQ(r.sent_kv_tokens, 5);
  EXPECT_EQ(r.kv_tokens, 5);
  EXPECT_EQ(r.worker, 1);
}

}  // namespace
}  // namespace tokensim
