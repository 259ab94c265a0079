// A runner with its store, plans and watchers, and a metrics object that tells what happened.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/io/plan/prepare.h"
#include "gtest/gtest.h"
#include "server/base/error.h"
#include "server/session/runner.h"
#include "server/session/session_test_spec.h"
#include "server/store/hooked_store.h"
#include "server/store/memory_store.h"

namespace tokensim {

class RunnerTest : public ::testing::Test {
 protected:
  // What the runner's threads did, in order.
  class Journal final : public SessionMetrics {
   public:
    void OnStarted(std::chrono::nanoseconds) override {
      if (on_started) on_started();
      Add("begin");
    }
    void OnSlice(std::chrono::nanoseconds, int64_t, double) override {
      if (on_slice) on_slice();
      Add("turn");
    }
    void OnFinished(SimulationState state) override {
      if (on_finished) on_finished();
      Add(v1::Simulation::State_Name(state));
    }

    std::function<void()> on_started;
    std::function<void()> on_slice;
    std::function<void()> on_finished;

    [[nodiscard]] std::vector<std::string> entries() const {
      const std::lock_guard lock(mutex_);
      return entries_;
    }
    [[nodiscard]] int64_t Count(const std::string& entry) const {
      const std::vector<std::string> all = entries();
      return std::count(all.begin(), all.end(), entry);
    }

   private:
    void Add(const std::string& entry) {
      const std::lock_guard lock(mutex_);
      entries_.push_back(entry);
    }
    mutable std::mutex mutex_;
    std::vector<std::string> entries_;
  };

  void Start(const RunnerOptions& options = {}) {
    runner_ = std::make_unique<Runner>(options, store_, plans_, watchers_, clock_, journal_);
  }
  void TearDown() override {
    if (runner_ != nullptr) runner_->Stop();
    executor_.Stop();
  }

  // Stores a simulation of `spec` as PENDING, and its plan.
  SimulationRecord Store(const std::string& id, const v1::Spec& spec) {
    PreparedSpec prepared = PrepareSpec(spec, TracePolicy::NoPaths());
    EXPECT_TRUE(prepared.ok());
    SimulationRecord record;
    record.name = {"default", id};
    record.uid = "uid-" + id;
    record.spec = std::make_shared<const v1::Spec>(std::move(prepared.resolved));
    EXPECT_TRUE(memory_.Create(record).ok());
    plans_.Put(record.uid, std::move(prepared.plan));
    return record;
  }
  void Queue(const SimulationRecord& record) {
    std::optional<Runner::Place> place = runner_->Reserve();
    ASSERT_TRUE(place.has_value());
    runner_->Enqueue(*std::move(place), record.name, record.uid);
  }
  // The simulation once it has ended and the runner is done with it.
  SimulationRecord WaitForEnd(const SimulationRecord& record) {
    while (true) {
      const auto now = memory_.Get(record.name);
      EXPECT_TRUE(now.ok());
      if (!now.ok() || (IsTerminal(now->state) && runner_->running() == 0)) {
        return now.value_or(SimulationRecord());
      }
      std::this_thread::yield();
    }
  }

  SystemClock clock_;
  MemoryStore memory_;
  HookedStore store_{memory_};
  PlanCache plans_;
  Executor executor_{"test", 1};
  Watchers watchers_{executor_};
  Journal journal_;
  std::unique_ptr<Runner> runner_;
};

}  // namespace tokensim
