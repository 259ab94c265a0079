// Who runs, who decodes, and who goes.
#include "engine/worker/running_set.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/worker/test_policies.h"

namespace tokensim {
namespace {

class RunningSetTest : public ::testing::Test {
 protected:
  explicit RunningSetTest(QueueKind kind = QueueKind::kArrival)
      : queues_(slab_, TestOrder(kind), 2) {}

  RunningSet Make(bool looks_at_all = false) {
    return {slab_, {.block_size = 4, .classes = 2}, TestVictim(looks_at_all), &queues_};
  }

  RequestHandle Add(int32_t prompt, int32_t output, int32_t client_class = 0) {
    const RequestHandle handle = slab_.Allocate();
    slab_[handle].input_tokens = prompt;
    slab_[handle].output_tokens = output;
    slab_[handle].client_class = client_class;
    return handle;
  }
  // One that decodes.
  RequestHandle AddDecode(RunningSet* running, int32_t prompt, int32_t output,
                          int32_t client_class = 0) {
    const RequestHandle handle = Add(prompt, output, client_class);
    running->Append(handle, prompt);
    EXPECT_TRUE(running->AddComputed(handle, prompt));
    ++slab_[handle].generated;
    running->Join(handle);
    return handle;
  }
  static std::vector<RequestHandle> All(const RunningSet& running) {
    std::vector<RequestHandle> all;
    running.AppendTo(&all);
    return all;
  }

  RequestSlab slab_;
  Queues queues_;
};

TEST_F(RunningSetTest, KeepsTheOrderOfAdmission) {
  RunningSet running = Make();
  const RequestHandle a = Add(1, 5);
  const RequestHandle b = Add(2, 5);
  const RequestHandle c = Add(3, 5);
  for (const RequestHandle handle : {a, b, c}) running.Append(handle, slab_[handle].input_tokens);
  EXPECT_EQ(All(running), (std::vector<RequestHandle>{a, b, c}));
  EXPECT_EQ(running.pending_tokens(), 6);
  running.StopPrefill(b);
  running.Remove(b);
  EXPECT_EQ(All(running), (std::vector<RequestHandle>{a, c}));
  EXPECT_EQ(running.pending_tokens(), 4);
  EXPECT_EQ(running.count(), 2);
  running.StopPrefill(c);
  running.Remove(c);
  running.StopPrefill(a);
  running.Remove(a);
  EXPECT_TRUE(All(running).empty());
  EXPECT_EQ(running.Victim(), kNoRequest);
}

TEST_F(RunningSetTest, KnowsThePromptThatIsNotComplete) {
  RunningSet running = Make();
  const RequestHandle handle = Add(10, 5);
  running.Append(handle, 10);
  running.set_unfinished(handle);
  EXPECT_FALSE(running.AddComputed(handle, 6));
  EXPECT_EQ(running.unfinished(), handle);
  EXPECT_EQ(running.pending_tokens(), 4);
  EXPECT_TRUE(running.AddComputed(handle, 4));
  EXPECT_EQ(running.unfinished(), kNoRequest);
  EXPECT_EQ(running.pending_tokens(), 0);
}

TEST_F(RunningSetTest, ProgressGoesOnWhileTheRequestIsNotTouched) {
  RunningSet running = Make();
  const RequestHandle handle = AddDecode(&running, 8, 5);
  running.Advance();
  running.Advance();
  EXPECT_EQ(running.ProgressOf(slab_[handle]).computed, 10);
  EXPECT_EQ(running.ProgressOf(slab_[handle]).generated, 3);
  running.Leave(handle);
  running.Advance();
  EXPECT_EQ(running.ProgressOf(slab_[handle]).computed, 10);
  EXPECT_EQ(slab_[handle].computed, 10);
  EXPECT_EQ(slab_[handle].generated, 3);
}

TEST_F(RunningSetTest, OneThatLeavesKeepsItsPlace) {
  RunningSet running = Make();
  const RequestHandle handle = AddDecode(&running, 8, 2);
  running.Advance();
  EXPECT_EQ(running.decodes().NextFinished(), handle);
  running.Leave(handle);
  running.BeginLeaving(handle);
  EXPECT_EQ(running.count(), 0);
  EXPECT_EQ(running.leaving(), 1);
  EXPECT_EQ(running.places(), 1);
  running.EndLeaving();
  EXPECT_EQ(running.places(), 0);
}

TEST_F(RunningSetTest, TheTailIsADecodeOrNobody) {
  RunningSet running = Make();
  EXPECT_EQ(running.TailDecode(), kNoRequest);
  const RequestHandle decode = AddDecode(&running, 8, 5);
  EXPECT_EQ(running.TailDecode(), decode);
  running.Append(Add(3, 5), 3);
  EXPECT_EQ(running.TailDecode(), kNoRequest);
}

TEST_F(RunningSetTest, TheVictimIsTheLastUnlessThePolicyLooksAtAll) {
  for (const bool looks_at_all : {false, true}) {
    RunningSet running = Make(looks_at_all);
    const RequestHandle first = AddDecode(&running, 8, 9);
    running.Advance();
    const RequestHandle last = AddDecode(&running, 8, 9);
    running.Advance();
    EXPECT_EQ(running.Victim(), looks_at_all ? first : last);
    EXPECT_EQ(running.OldestDecodeStart(), 0);
  }
}

class FairRunningSetTest : public RunningSetTest {
 protected:
  FairRunningSetTest() : RunningSetTest(QueueKind::kFair) {}
};

TEST_F(FairRunningSetTest, ChargesTheClassesForTheirTokens) {
  RunningSet running = Make();
  const RequestHandle waits0 = Add(1, 1, 0);
  const RequestHandle waits1 = Add(1, 1, 1);
  queues_.PushBack(waits0);
  queues_.PushBack(waits1);
  AddDecode(&running, 8, 99, 0);
  EXPECT_EQ(queues_.front(), waits0);
  running.Advance();
  EXPECT_EQ(queues_.front(), waits0);  // nobody asked yet
  running.ChargeClasses();
  EXPECT_EQ(queues_.front(), waits1);  // class 0 got a token, which counts twice
  queues_.Charge(1, 3);
  EXPECT_EQ(queues_.front(), waits0);
  running.Advance();
  running.ChargeClasses();
  EXPECT_EQ(queues_.front(), waits1);
}

}  // namespace
}  // namespace tokensim
