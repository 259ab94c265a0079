// The states of a request before it runs.
#include "engine/worker/queues.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/worker/test_policies.h"

namespace tokensim {
namespace {

class QueuesTest : public ::testing::Test {
 protected:
  RequestHandle Add(int32_t prompt, SimTime deadline = kNever) {
    const RequestHandle handle = slab_.Allocate();
    slab_[handle].input_tokens = prompt;
    slab_[handle].output_tokens = 10;
    slab_[handle].deadline = deadline;
    return handle;
  }
  // One whose KV cache is elsewhere.
  RequestHandle AddRemote(KvSource source, int32_t prompt, int32_t tokens) {
    const RequestHandle handle = Add(prompt);
    slab_[handle].kv_source = source;
    slab_[handle].kv_tokens = tokens;
    return handle;
  }
  // What KvManager does when it has arrived.
  void Arrive(RequestHandle handle) {
    slab_[handle].computed = slab_[handle].kv_tokens;
    slab_[handle].kv_source = KvSource::kNone;
  }

  RequestSlab slab_;
};

TEST_F(QueuesTest, CountsTheTokensOfPromptsThatWait) {
  Queues queues(slab_, TestOrder(QueueKind::kArrival), 1);
  const RequestHandle a = Add(10);
  const RequestHandle b = Add(20);
  const RequestHandle swapped = AddRemote(KvSource::kHost, 5, 7);
  queues.PushBack(a);
  queues.PushBack(b);
  queues.PushFront(swapped);
  EXPECT_EQ(queues.pending_tokens(), 30);
  EXPECT_EQ(queues.waiting_and_loaded(), 3);
  EXPECT_EQ(queues.PopFront(), swapped);
  EXPECT_EQ(queues.pending_tokens(), 30);
  EXPECT_EQ(queues.PopFront(), a);
  EXPECT_EQ(queues.pending_tokens(), 20);
  EXPECT_EQ(queues.PopFront(), b);
  EXPECT_FALSE(queues.has_waiting());
}

TEST_F(QueuesTest, ServesByTheKeyOfTheOrder) {
  Queues queues(slab_, TestOrder(QueueKind::kKeyed), 1);
  const RequestHandle late = Add(1, 20);
  const RequestHandle early = Add(1, 10);
  queues.PushBack(late);
  queues.PushBack(early);
  EXPECT_EQ(queues.PopFront(), early);
  EXPECT_EQ(queues.PopFront(), late);
}

TEST_F(QueuesTest, ALoadedPromptIsServedBeforeTheOthers) {
  Queues queues(slab_, TestOrder(QueueKind::kArrival), 1);
  const RequestHandle other = Add(10);
  const RequestHandle turn = AddRemote(KvSource::kPool, 30, 16);
  queues.PushBack(other);
  queues.BeginLoad(turn);
  EXPECT_EQ(queues.places(), 1);
  EXPECT_EQ(queues.loading_count(), 1);
  EXPECT_EQ(queues.loads_begun(), std::vector<RequestHandle>{turn});
  EXPECT_EQ(queues.front(), other);
  Arrive(turn);
  queues.FinishLoad(turn, /*resumes=*/false);
  EXPECT_EQ(queues.places(), 0);
  EXPECT_EQ(queues.loading_count(), 0);
  EXPECT_TRUE(queues.front_is_loaded());
  EXPECT_EQ(queues.pending_tokens(), 10 + 14);
  EXPECT_EQ(queues.PopFront(), turn);
  EXPECT_EQ(queues.PopFront(), other);
  EXPECT_EQ(queues.pending_tokens(), 0);
}

TEST_F(QueuesTest, AReadyRequestKeepsItsPlaceUntilItIsTaken) {
  Queues queues(slab_, TestOrder(QueueKind::kArrival), 1);
  const RequestHandle handle = AddRemote(KvSource::kWorker, 30, 30);
  queues.BeginLoad(handle);
  Arrive(handle);
  queues.FinishLoad(handle, /*resumes=*/true);
  EXPECT_TRUE(queues.has_ready());
  EXPECT_FALSE(queues.has_waiting());
  EXPECT_EQ(queues.places(), 1);
  EXPECT_EQ(queues.waiting_loaded_and_ready(), 1);
  EXPECT_EQ(queues.PopReady(), handle);
  EXPECT_EQ(queues.places(), 0);
  EXPECT_EQ(queues.PopReady(), kNoRequest);
}

TEST_F(QueuesTest, OneThatStillRunsElsewhereTakesAPlaceButIsNotHere) {
  Queues queues(slab_, TestOrder(QueueKind::kArrival), 1);
  const RequestHandle goes_on = Add(10);
  const RequestHandle lost = Add(10);
  queues.ReserveLoad(goes_on);
  queues.ReserveLoad(lost);
  EXPECT_EQ(queues.places(), 2);
  EXPECT_EQ(queues.loading_count(), 0);
  slab_[goes_on].kv_source = KvSource::kWorker;
  queues.BeginReservedLoad();
  EXPECT_EQ(queues.loading_count(), 1);
  queues.CancelLoad(lost);
  EXPECT_EQ(queues.loading_count(), 1);
  queues.CancelLoad(goes_on);
  EXPECT_EQ(queues.loading_count(), 0);
  EXPECT_EQ(queues.places(), 0);
}

TEST_F(QueuesTest, DrainTakesEverybodyInOrderOfService) {
  Queues queues(slab_, TestOrder(QueueKind::kArrival), 1);
  const RequestHandle waits = Add(10);
  const RequestHandle loads = AddRemote(KvSource::kWorker, 30, 30);
  const RequestHandle ready = AddRemote(KvSource::kWorker, 30, 30);
  const RequestHandle loaded = AddRemote(KvSource::kPool, 30, 16);
  queues.PushBack(waits);
  for (const RequestHandle handle : {loads, ready, loaded}) queues.BeginLoad(handle);
  Arrive(ready);
  queues.FinishLoad(ready, /*resumes=*/true);
  Arrive(loaded);
  queues.FinishLoad(loaded, /*resumes=*/false);
  std::vector<RequestHandle> all;
  queues.Drain(&all);
  EXPECT_EQ(all, (std::vector<RequestHandle>{ready, loads, loaded, waits}));
  EXPECT_EQ(queues.places(), 0);
  EXPECT_EQ(queues.loading_count(), 0);
  EXPECT_EQ(queues.pending_tokens(), 0);
  EXPECT_EQ(queues.waiting_loaded_and_ready(), 0);
  EXPECT_TRUE(queues.loads_begun().empty());
}

}  // namespace
}  // namespace tokensim
