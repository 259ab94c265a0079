// Each scheduler on a worker state driven by hand: what is in the batch, who is preempted.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "engine/policy/defaults.h"
#include "engine/policy/local/registry.h"
#include "engine/policy/local/test_static.h"
#include "engine/policy/order/registry.h"
#include "engine/worker/worker_state.h"

namespace tokensim {
namespace {

class LocalSchedulerTest : public ::testing::Test {
 protected:
  void Start(LocalSchedulerConfig config, int64_t kv_blocks, int32_t block_size,
             int64_t host_blocks = 0) {
    AddDefaultPolicies(&config);
    state_ = std::make_unique<WorkerState>(
        slab_,
        WorkerStateConfig{.kv_blocks = kv_blocks,
                          .block_size = block_size,
                          .host_blocks = host_blocks,
                          .tracks_longest = true,
                          .tracks_waits = config.policy->traits().waits,
                          .classes = 2},
        config);
    keeps_finished_ = config.policy->traits().keeps_finished;
    scheduler_ = config.policy->Make({config.max_num_seqs, config.max_num_batched_tokens});
  }

  RequestHandle Add(int32_t input, int32_t output, int32_t client_class = 0) {
    const RequestHandle handle = slab_.Allocate();
    slab_[handle].input_tokens = input;
    slab_[handle].output_tokens = output;
    slab_[handle].client_class = client_class;
    state_->Enqueue(handle, now_);
    return handle;
  }

  IterationShape Form() {
    state_->BeginBatch(&batch_, now_);
    scheduler_->FormBatch(*state_);
    return batch_.shape();
  }

  // Ends the iteration, as the worker does. Returns how many requests finished.
  int Complete() {
    int finished = 0;
    const auto finish = [&](RequestHandle handle) {
      Holdings holdings = state_->TakeHoldings(handle);
      if (keeps_finished_) {
        state_->KeepAsPadding(std::move(holdings));
      } else {
        state_->Free(holdings);
      }
      state_->Leave();
      ++finished;
    };
    state_->Start(batch_, now_, now_ + 1);
    state_->Advance(&batch_, ++now_);
    for (const Departure& departure : batch_.finishing_decodes) finish(departure.request);
    for (const RequestHandle handle : batch_.finishing_prefills) finish(handle);
    return finished;
  }

  RequestSlab slab_;
  Batch batch_;
  SimTime now_ = 0;
  std::unique_ptr<WorkerState> state_;
  std::unique_ptr<LocalScheduler> scheduler_;
  bool keeps_finished_ = false;
};

TEST_F(LocalSchedulerTest, ChunkedSplitsPromptsWithinTheBudget) {
  Start({.policy = LocalSchedulers().Make("chunked"),
         .max_num_seqs = 8,
         .max_num_batched_tokens = 100},
        1000, 16);
  Add(60, 10);
  Add(90, 10);
  Add(5, 10);
  IterationShape shape = Form();
  ASSERT_EQ(shape.prefill.size(), 2u);  // 60 and the first 40 of 90
  EXPECT_EQ(shape.prefill[1].new_tokens, 40);
  EXPECT_EQ(shape.sampled_count, 1);
  EXPECT_EQ(shape.tokens(), 100);
  Complete();
  shape = Form();
  EXPECT_EQ(shape.decode_count, 1);
  EXPECT_EQ(shape.decode_context, 61);
  ASSERT_EQ(shape.prefill.size(), 2u);  // the other 50, and 5
  EXPECT_EQ(shape.prefill[0].new_tokens, 50);
  EXPECT_EQ(shape.prefill[0].history, 40);
  EXPECT_EQ(shape.prefill[1].new_tokens, 5);
  EXPECT_EQ(shape.sampled_count, 3);
}

TEST_F(LocalSchedulerTest, ChunkedPreemptsTheTailAndAdmitsNobodyThen) {
  // Two requests of 4 tokens fill 2 of 3 blocks of 4; the first decode takes the third block and
  // the second finds none.
  Start({.policy = LocalSchedulers().Make("chunked"),
         .max_num_seqs = 8,
         .max_num_batched_tokens = 100},
        3, 4);
  const RequestHandle a = Add(4, 5);
  const RequestHandle b = Add(4, 5);
  Add(1, 1);
  EXPECT_EQ(Form().prefill.size(), 3u);
  EXPECT_EQ(Complete(), 1);
  const IterationShape shape = Form();
  EXPECT_EQ(shape.decode_count, 1);
  EXPECT_TRUE(shape.prefill.empty());
  ASSERT_EQ(batch_.preempted.size(), 1u);
  EXPECT_EQ(batch_.preempted[0].request, b);
  EXPECT_EQ(slab_[b].generated, 1);
  EXPECT_EQ(slab_[b].computed, 0);
  EXPECT_EQ(slab_[b].prefill_target(), 5);
  EXPECT_EQ(state_->pool().used(), 2);  // both of a
  EXPECT_TRUE(slab_[a].decoding);
}

TEST_F(LocalSchedulerTest, ReserveFullPromptWaitsForTheWholePrompt) {
  for (const bool reserve : {false, true}) {
    Start({.policy = LocalSchedulers().Make("chunked", {{"reserve_full_prompt", reserve}}),
           .max_num_seqs = 8,
           .max_num_batched_tokens = 16},
          4, 16);
    Add(16, 100);  // one block, and one more for its first decode
    Form();
    Complete();
    Add(64, 1);  // four blocks: a free pool would do, three are free
    const IterationShape shape = Form();
    EXPECT_EQ(shape.prefill.size(), reserve ? 0u : 1u);
  }
}

TEST_F(LocalSchedulerTest, ChunkedStopsAtMaxNumSeqs) {
  Start({.policy = LocalSchedulers().Make("chunked"),
         .max_num_seqs = 2,
         .max_num_batched_tokens = 100},
        100, 16);
  for (int i = 0; i < 3; ++i) Add(3, 2);
  EXPECT_EQ(Form().prefill.size(), 2u);
  EXPECT_EQ(state_->waiting_count(), 1);
}

TEST_F(LocalSchedulerTest, OrcaNeverSplitsAPrompt) {
  Start(
      {.policy = LocalSchedulers().Make("orca"), .max_num_seqs = 8, .max_num_batched_tokens = 100},
      1000, 16);
  Add(300, 5);  // larger than the limit: alone
  Add(50, 5);
  Add(49, 5);
  Add(1, 5);
  IterationShape shape = Form();
  ASSERT_EQ(shape.prefill.size(), 1u);
  EXPECT_EQ(shape.prefill[0].new_tokens, 300);
  Complete();
  shape = Form();  // 1 decode + 50 + 49 = 100; the last waits
  EXPECT_EQ(shape.decode_count, 1);
  EXPECT_EQ(shape.prefill.size(), 2u);
  EXPECT_EQ(state_->waiting_count(), 1);
}

TEST_F(LocalSchedulerTest, StaticKeepsBubblesUntilTheLongestIsDone) {
  Start(
      {.policy = LocalSchedulers().Make("static"), .max_num_seqs = 2, .max_num_batched_tokens = 0},
      100, 4);
  Add(4, 1);
  Add(4, 3);
  Add(4, 1);
  IterationShape shape = Form();
  EXPECT_EQ(shape.prefill.size(), 2u);
  EXPECT_EQ(Complete(), 1);
  for (int i = 0; i < 2; ++i) {
    shape = Form();
    EXPECT_EQ(shape.decode_count, 1);
    EXPECT_EQ(shape.padding_count, 1);
    EXPECT_EQ(shape.sampled_count, 2);
    EXPECT_TRUE(shape.prefill.empty());
    EXPECT_EQ(state_->waiting_count(), 1);
    EXPECT_EQ(Complete(), i);
  }
  EXPECT_EQ(state_->pool().used(), 1 + 2);  // held until the batch ends
  shape = Form();
  EXPECT_EQ(shape.prefill.size(), 1u);
  EXPECT_EQ(shape.padding_count, 0);
  EXPECT_EQ(state_->pool().used(), 1);
}

TEST_F(LocalSchedulerTest, StaticWaitsUntilItsBatchIsFull) {
  Start({.policy = FullBatches(1e-6), .max_num_seqs = 3, .max_num_batched_tokens = 12}, 8, 4);
  now_ = 500;
  EXPECT_EQ(Form().tokens(), 0);
  EXPECT_FALSE(state_->wait_until()) << "for whom";
  const RequestHandle first = Add(4, 2);
  EXPECT_EQ(Form().tokens(), 0);
  EXPECT_EQ(state_->wait_until(), 1'500);
  now_ = 600;
  Add(4, 1);
  EXPECT_EQ(Form().tokens(), 0);
  EXPECT_EQ(state_->wait_until(), 1'500);
  Add(3, 1);
  EXPECT_EQ(Form().prefill.size(), 3u) << "as many as may run";
  EXPECT_FALSE(state_->wait_until());
  EXPECT_EQ(Complete(), 2);
  Add(4, 1);
  EXPECT_EQ(Form().decode_count, 1) << "a batch that runs waits for nobody";
  EXPECT_FALSE(state_->wait_until());
  EXPECT_EQ(slab_.Extras(first).waits_since, kUnset);
  EXPECT_EQ(Complete(), 1);
  EXPECT_EQ(Form().tokens(), 0);
  EXPECT_EQ(state_->wait_until(), 1'601);
  Add(9, 1);
  EXPECT_EQ(Form().prefill.size(), 1u) << "13 tokens, of which an iteration takes 12";
}

TEST_F(LocalSchedulerTest, StaticIsFullWithThePromptsOfOneIteration) {
  Start({.policy = FullBatches(), .max_num_seqs = 8, .max_num_batched_tokens = 12}, 100, 4);
  Add(8, 1);
  EXPECT_EQ(Form().tokens(), 0);
  Add(4, 1);
  EXPECT_EQ(Form().tokens(), 12);
}

TEST_F(LocalSchedulerTest, StaticRunsWhatItHasWhenTimeIsUpOrItMust) {
  for (const bool must_run : {false, true}) {
    Start({.policy = FullBatches(must_run ? 0 : 1e-6), .max_num_batched_tokens = 0}, 100, 4);
    now_ = 0;
    Add(4, 1);
    Form();
    EXPECT_EQ(state_->wait_until(), must_run ? kNever : 1'000);
    now_ = must_run ? 10 : 1'000;
    state_->BeginBatch(&batch_, now_, must_run);
    scheduler_->FormBatch(*state_);
    EXPECT_EQ(batch_.chunks.size(), 1u);
  }
}

// Three quarters of 8 blocks, however that is said.
TEST_F(LocalSchedulerTest, StaticIsFullWhenTheMemoryIs) {
  struct Case {
    double watermark;
    double ratio;
    int32_t prompt;
  };
  for (const Case& c : {Case{0, 1, 8}, Case{0.25, 1, 5}, Case{0, 0.75, 6}}) {
    Start({.policy = FullBatches(),
           .max_num_batched_tokens = 0,
           .watermark = c.watermark,
           .max_memory_ratio = c.ratio},
          8, 4);
    while (state_->waiting_count() < 8 && Form().tokens() == 0) Add(c.prompt, 1);
    const int64_t blocks = (c.prompt + 3) / 4;
    const auto room = static_cast<int64_t>(8 * (c.ratio - c.watermark));
    EXPECT_EQ(static_cast<int64_t>(batch_.chunks.size()), room / blocks);
    EXPECT_EQ(state_->waiting_count(), 1);
  }
}

// Caches that come do so while the batch fills, and it begins when all are there.
TEST_F(LocalSchedulerTest, StaticLoadsWhileItWaits) {
  Start({.policy = FullBatches(), .max_num_seqs = 2, .max_num_batched_tokens = 0}, 100, 4);
  std::vector<RequestHandle> remote;
  for (int i = 0; i < 2; ++i) {
    remote.push_back(slab_.Allocate());
    slab_[remote.back()].input_tokens = 8;
    slab_[remote.back()].output_tokens = 3;
    slab_[remote.back()].generated = 1;
    slab_[remote.back()].kv_source = KvSource::kWorker;
    slab_[remote.back()].kv_tokens = 8;
  }
  state_->Enqueue(remote[0], now_);
  EXPECT_EQ(Form().tokens(), 0);
  EXPECT_EQ(state_->loads_begun().size(), 1u);
  EXPECT_EQ(state_->wait_until(), kNever);
  state_->FinishLoad(remote[0]);
  EXPECT_EQ(Form().tokens(), 0);
  EXPECT_EQ(state_->wait_until(), kNever);
  EXPECT_EQ(state_->waiting_since(), now_);
  state_->Enqueue(remote[1], now_);
  EXPECT_EQ(Form().tokens(), 0);
  EXPECT_FALSE(state_->wait_until()) << "it is full, and not here";
  state_->FinishLoad(remote[1]);
  EXPECT_EQ(Form().decode_count, 2);
  EXPECT_EQ(state_->waiting_since(), kNever);
}

// As in vLLM: nothing of it is computed in this iteration.
TEST_F(LocalSchedulerTest, AKvCacheThatBeginsToLoadTakesNoBudget) {
  for (const std::string_view policy : {"chunked", "orca", "static"}) {
    Start(
        {.policy = LocalSchedulers().Make(policy), .max_num_seqs = 4, .max_num_batched_tokens = 4},
        100, 4);
    const RequestHandle remote = slab_.Allocate();
    slab_[remote].input_tokens = 8;
    slab_[remote].output_tokens = 2;
    slab_[remote].generated = 1;
    slab_[remote].kv_source = KvSource::kWorker;
    slab_[remote].kv_tokens = 8;
    state_->Enqueue(remote, now_);
    Add(1, 1);
    Add(3, 1);
    const IterationShape shape = Form();
    EXPECT_EQ(state_->loads_begun().size(), 1u);
    EXPECT_EQ(shape.prefill_tokens, 4) << policy;
  }
}

// max_memory_ratio is for those that have not run here: the cache that comes from another worker
// may take two of four blocks, and the one behind it waits.
TEST_F(LocalSchedulerTest, MaxMemoryRatioAppliesToCachesThatCome) {
  Start({.policy = LocalSchedulers().Make("chunked"), .max_memory_ratio = 0.5}, 4, 4);
  for (int i = 0; i < 2; ++i) {
    const RequestHandle remote = slab_.Allocate();
    slab_[remote].input_tokens = 4;
    slab_[remote].output_tokens = 9;
    slab_[remote].generated = 1;
    slab_[remote].scheduled = 0;  // on the worker that sends it
    slab_[remote].ran_here = true;
    slab_[remote].kv_source = KvSource::kWorker;
    slab_[remote].kv_tokens = 4;
    state_->Enqueue(remote, now_);
  }
  Form();
  EXPECT_EQ(state_->loads_begun().size(), 1u);
  EXPECT_EQ(state_->waiting_count(), 1);
}

// The last token of a prompt is computed though its block is found.
TEST_F(LocalSchedulerTest, HitsLeaveTheLastToken) {
  LocalSchedulerConfig config;
  AddDefaultPolicies(&config);
  state_ = std::make_unique<WorkerState>(
      slab_, WorkerStateConfig{.kv_blocks = 100, .block_size = 4, .prefix_caching = true}, config);
  scheduler_ = config.policy->Make({config.max_num_seqs, config.max_num_batched_tokens});
  LiveRequest request;
  RequestExtras extras{.text = {.prefix_group = 1, .prefix_tokens = 100}};
  request.extras = &extras;
  const RequestHandle first = Add(12, 1);
  slab_.Extras(first).text = extras.text;
  Form();
  EXPECT_EQ(Complete(), 1);
  for (const auto& [input, hits] : {std::pair(4, 0), {8, 4}, {12, 8}, {13, 12}, {40, 12}}) {
    request.input_tokens = input;
    EXPECT_EQ(state_->HitTokens(request), hits) << input;
  }
}

TEST_F(LocalSchedulerTest, BatchesKnowTheLongestContextOfTheirDecodes) {
  Start({.policy = LocalSchedulers().Make("chunked")}, 1000, 16);
  Add(5, 4);
  Add(9, 2);
  Form();
  Complete();
  EXPECT_EQ(Form().max_decode_context, 10);
  EXPECT_EQ(Complete(), 1);
  EXPECT_EQ(Form().max_decode_context, 7);
}

TEST_F(LocalSchedulerTest, OneThatWasSwappedOutDecodesInTheBatchItComesBackIn) {
  Start({.policy = LocalSchedulers().Make("vllm_v0"),
         .max_num_seqs = 8,
         .preemption = PreemptionMode::kSwap},
        3, 4, /*host_blocks=*/2);
  Add(4, 3);
  const RequestHandle second = Add(8, 10);
  EXPECT_EQ(Form().prefill.size(), 2u);
  Complete();
  EXPECT_EQ(Form().decode_count, 1);
  ASSERT_EQ(batch_.preempted.size(), 1u);
  EXPECT_EQ(batch_.preempted[0].request, second);
  EXPECT_EQ(batch_.preempted[0].swapped_blocks, 2);
  Complete();
  EXPECT_EQ(Form().max_decode_context, 6);  // two blocks of three are taken
  EXPECT_EQ(Complete(), 1);
  const IterationShape shape = Form();
  EXPECT_EQ(shape.decode_count, 1);
  EXPECT_EQ(shape.decode_context, 9);
  EXPECT_EQ(shape.max_decode_context, 9);
}

// The tokens of the last iteration count: class 0 had the least before it.
TEST_F(LocalSchedulerTest, ThoseThatWaitLeaveAFailedWorkerInTheOrderOfItsQueue) {
  Start({.policy = LocalSchedulers().Make("chunked"),
         .max_num_seqs = 2,
         .queue_order = QueueOrders().Make("fair")},
        100, 4);
  const RequestHandle a = Add(4, 100);
  const RequestHandle b = Add(4, 100);
  EXPECT_EQ(Form().prefill.size(), 2u);
  Complete();
  const RequestHandle c = Add(4, 100, /*client_class=*/1);
  const RequestHandle d = Add(4, 100);
  EXPECT_EQ(Form().decode_count, 2);
  Complete();
  std::vector<RequestHandle> order;
  for (const Departure& departure : state_->Evacuate()) order.push_back(departure.request);
  EXPECT_EQ(order, (std::vector<RequestHandle>{a, b, c, d}));
}

TEST_F(LocalSchedulerTest, ChunkedLeavesAPromptWaitingWhenDecodesTakeTheBudget) {
  Start(
      {.policy = LocalSchedulers().Make("chunked"), .max_num_seqs = 8, .max_num_batched_tokens = 4},
      1000, 16);
  // Four whose KV caches come from elsewhere, and a prompt behind them.
  std::vector<RequestHandle> loaded;
  for (int i = 0; i < 4; ++i) {
    const RequestHandle handle = slab_.Allocate();
    LiveRequest& r = slab_[handle];
    r.input_tokens = r.kv_tokens = 5;
    r.output_tokens = 9;
    r.generated = 1;
    r.kv_source = KvSource::kWorker;
    state_->Enqueue(handle, now_);
    loaded.push_back(handle);
  }
  Add(10, 1);
  IterationShape shape = Form();
  ASSERT_EQ(shape.prefill.size(), 1u);
  EXPECT_EQ(shape.prefill[0].new_tokens, 4);
  Complete();
  state_->ClearLoadsBegun();
  for (const RequestHandle handle : loaded) state_->FinishLoad(handle);
  shape = Form();
  EXPECT_EQ(shape.decode_count, 4);
  EXPECT_TRUE(shape.prefill.empty());
}

}  // namespace
}  // namespace tokensim
