#include "engine/cluster/router.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "engine/cluster/test_plan.h"
#include "engine/policy/defaults.h"

namespace tokensim {
namespace {

// A router that shows what policies were asked, and lets them answer the last candidate.
struct Asked {
  std::vector<int32_t> candidates;
  bool transfer = false;
  int32_t outstanding_of_first = 0;
};

class LastCandidate final : public GlobalScheduler {
 public:
  explicit LastCandidate(Asked* asked) : asked_(*asked) {}
  int32_t Dispatch(const DispatchView& view) override {
    asked_ = {.candidates = {view.candidates.begin(), view.candidates.end()},
              .transfer = view.transfer,
              .outstanding_of_first = view.signals.outstanding[0]};
    return view.candidates.back();
  }

 private:
  Asked& asked_;
};

class RouterTest : public testing::Test {
 protected:
  void Make(std::vector<WorkerPlan> workers, SimTime signal_delay = 0, bool intra_node = false) {
    auto plan = MakePlan({}, std::move(workers));
    plan->signal_delay = signal_delay;
    plan->intra_node_first = intra_node;
    const auto policy = std::make_shared<GlobalSchedulerFactory>(
        "last", GlobalSchedulerTraits{},
        [this](const GlobalSchedulerContext&) { return std::make_unique<LastCandidate>(&asked_); });
    plan->global_scheduler = policy;
    plan->transfer_scheduler = policy;
    plan_ = WithDefaultPolicies(plan);
    fleet_ = std::make_unique<Fleet>(plan_->workers, nullptr);
    router_ = std::make_unique<Router>(*plan_, slab_, workers_);
    for (const WorkerPlan& worker : plan_->workers) {
      workers_.emplace_back(worker, static_cast<int32_t>(workers_.size()), 16,
                            Worker::Context{.slab = slab_,
                                            .token_times = token_times_,
                                            .ended = ended_,
                                            .signals = router_->signals(),
                                            .observer = nullptr,
                                            .migration = nullptr,
                                            .pool = nullptr,
                                            .report_ends = false,
                                            .layerwise = false,
                                            .classes = 1,
                                            .response_delay = 0});
    }
    router_->UpdateCandidates(*fleet_);
  }

  static LiveRequest Request(int32_t input, int32_t output) {
    LiveRequest r;
    r.input_tokens = input;
    r.output_tokens = output;
    return r;
  }

  Asked asked_;
  std::shared_ptr<const Plan> plan_;
  RequestSlab slab_;
  std::vector<SimTime> token_times_;
  EndedRequests ended_{nullptr};
  std::deque<Worker> workers_;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Router> router_;
};

using Indexes = std::vector<int32_t>;

TEST_F(RouterTest, RolesDecideWhoIsAsked) {
  Make({MakeWorker(Role::kPrefill), MakeWorker(Role::kBoth), MakeWorker(Role::kDecode)});
  EXPECT_EQ(router_->ChooseFirst(Request(5, 3)), 1);
  EXPECT_EQ(asked_.candidates, (Indexes{0, 1}));
  EXPECT_FALSE(asked_.transfer);
  EXPECT_EQ(router_->ChooseNext(Request(5, 3), 0), 2);
  EXPECT_EQ(asked_.candidates, (Indexes{1, 2}));
  EXPECT_TRUE(asked_.transfer);
}

TEST_F(RouterTest, OnlyWorkersThatServeAreAsked) {
  Make({MakeWorker(Role::kPrefill), MakeWorker(Role::kDecode), MakeWorker(Role::kDecode)});
  fleet_->SetStatus(2, WorkerStatus::kDraining, 5);
  router_->UpdateCandidates(*fleet_);
  EXPECT_EQ(router_->ChooseNext(Request(5, 3), 0), 1);
  fleet_->SetStatus(1, WorkerStatus::kFailed, 6);
  router_->UpdateCandidates(*fleet_);
  EXPECT_TRUE(router_->can_prefill());
  EXPECT_FALSE(router_->can_decode());
}

TEST_F(RouterTest, ACacheGoesToAnotherWorkerIfThereIsOne) {
  Make({MakeWorker(Role::kBoth), MakeWorker(Role::kBoth)});
  EXPECT_EQ(router_->ChooseNext(Request(5, 3), 1), 0);
  fleet_->SetStatus(0, WorkerStatus::kFailed, 5);
  router_->UpdateCandidates(*fleet_);
  EXPECT_EQ(router_->ChooseNext(Request(5, 3), 1), 1);
}

TEST_F(RouterTest, DecodersThatAreTooSmallAreLeftOut) {
  Make({MakeWorker(Role::kPrefill), MakeWorker(Role::kDecode, 100), MakeWorker(Role::kDecode, 10)});
  EXPECT_EQ(router_->ChooseNext(Request(30, 3), 0), 2);  // 32 tokens in 10 blocks of 4
  EXPECT_EQ(router_->ChooseNext(Request(40, 3), 0), 1);
}

TEST_F(RouterTest, TheNodeOfTheSenderGoesFirst) {
  std::vector<WorkerPlan> workers = {MakeWorker(Role::kPrefill), MakeWorker(Role::kDecode),
                                     MakeWorker(Role::kDecode)};
  workers[2].node = 1;
  Make(workers, 0, /*intra_node=*/true);
  EXPECT_EQ(router_->ChooseNext(Request(5, 3), 0), 1);
  // No room is left there for 4,000 tokens and one more block.
  EXPECT_EQ(router_->ChooseNext(Request(4000, 3), 0), 2);
}

TEST_F(RouterTest, PoliciesSeeSignalsOfTheLastRefresh) {
  Make({MakeWorker(Role::kBoth)}, /*signal_delay=*/kMs);
  router_->signals().AddOutstanding(0, 3, 30);
  (void)router_->ChooseFirst(Request(5, 3));
  EXPECT_EQ(asked_.outstanding_of_first, 0);
  router_->RefreshSignals();
  (void)router_->ChooseFirst(Request(5, 3));
  EXPECT_EQ(asked_.outstanding_of_first, 3);
}

TEST_F(RouterTest, ARequestThatNoDecoderCanHoldIsNotForAPrefillWorkerEither) {
  Make({MakeWorker(Role::kPrefill), MakeWorker(Role::kDecode, 10)});
  EXPECT_EQ(router_->Check(Request(38, 3), 0), RejectReason::kNone);
  EXPECT_EQ(router_->Check(Request(39, 3), 0), RejectReason::kKvCapacity);
  EXPECT_EQ(router_->Check(Request(39, 1), 0), RejectReason::kNone);  // it never decodes
}

TEST(HomelessQueueTest, CountsHowLongAllWait) {
  HomelessQueue queue;
  queue.Push(7, 10);
  queue.Push(8, 30);
  EXPECT_TRUE(queue.Integral(40) == 20 + 2 * 10);
  EXPECT_EQ(queue.Pop(40), 7u);
  EXPECT_EQ(queue.size(), 1u);
  EXPECT_TRUE(queue.Integral(50) == 20 + 2 * 10 + 10);
}

}  // namespace
}  // namespace tokensim
