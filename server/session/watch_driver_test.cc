#include "server/session/watch_driver.h"

#include <condition_variable>
#include <future>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/error.h"
#include "server/session/session_test_spec.h"
#include "server/store/memory_store.h"

namespace tokensim {
namespace {

class FakeSink final : public StreamSink<v1::Simulation> {
 public:
  void Write(const v1::Simulation& simulation) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(writing_ || ended_);
    writing_ = true;
    // What is large does not change: a watch does not repeat it ten times a second.
    EXPECT_FALSE(simulation.has_spec() || simulation.has_report());
    EXPECT_FALSE(simulation.spec_name().empty());
    states_.push_back(simulation.state());
    changed_.notify_all();
  }
  void End(const absl::Status& status) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(writing_ || ended_);
    ended_ = true;
    status_ = status;
    changed_.notify_all();
  }
  void BreakWrite(const absl::Status&) override { broken_ = true; }

  bool TakeWrite() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return writing_ || ended_; });
    const bool took = writing_;
    writing_ = false;
    return took;
  }
  absl::Status WaitEnded() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_; });
    return status_;
  }
  std::vector<SimulationState> states() {
    const std::lock_guard lock(mutex_);
    return states_;
  }

  std::atomic<bool> broken_ = false;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool writing_ = false;
  bool ended_ = false;
  std::vector<SimulationState> states_;
  absl::Status status_;
};

class WatchDriverTest : public ::testing::Test {
 protected:
  ~WatchDriverTest() override {
    manager_.Stop();
    executor_.Stop();
  }
  SimulationName Create(const v1::Spec& spec) {
    CreateParams params;
    params.spec = &spec;
    return ParseSimulationName(manager_.Create(params)->name()).value();
  }
  std::shared_ptr<WatchDriver> Watch(const SimulationName& name) {
    auto driver = std::make_shared<WatchDriver>(name, manager_, executor_, clock_, sink_);
    driver->Start();
    return driver;
  }

  MemoryStore store_;
  SystemClock clock_;
  SessionMetrics metrics_;
  Executor executor_{"test", 2};
  SessionManager manager_{{.runner = {.threads = 1}}, store_, executor_, clock_, metrics_};
  std::shared_ptr<FakeSink> sink_ = std::make_shared<FakeSink>();
};

TEST_F(WatchDriverTest, EndsAfterTheTerminalState) {
  const auto driver = Watch(Create(MakeTestSpec(2000)));
  while (sink_->TakeWrite()) driver->OnWriteDone(true);
  EXPECT_TRUE(sink_->WaitEnded().ok());
  EXPECT_EQ(sink_->states().back(), v1::Simulation::SUCCEEDED);
}

// What changes while a message is being written is told by the next one.
TEST_F(WatchDriverTest, AChangeDuringAWriteIsNotLost) {
  const SimulationName name = Create(MakeEndlessSpec());
  const auto driver = Watch(name);
  while (manager_.Get(name)->state() != v1::Simulation::RUNNING) std::this_thread::yield();
  ASSERT_TRUE(sink_->TakeWrite());
  ASSERT_TRUE(manager_.Cancel(name, "").ok());
  while (manager_.Get(name)->state() != v1::Simulation::CANCELLED) std::this_thread::yield();
  while (manager_.running() > 0) std::this_thread::yield();  // it has notified for the last time
  for (int i = 0; i < 4; ++i) {                              // and its watchers were called
    std::promise<void> done;
    executor_.Post([&] { done.set_value(); });
    done.get_future().wait();
  }
  driver->OnWriteDone(true);
  ASSERT_TRUE(sink_->TakeWrite());
  EXPECT_EQ(sink_->states().back(), v1::Simulation::CANCELLED);
  driver->OnWriteDone(true);
  EXPECT_TRUE(sink_->WaitEnded().ok());
}

TEST_F(WatchDriverTest, UnknownNamesEndTheStream) {
  const auto driver = Watch({"default", "none"});
  EXPECT_EQ(ErrorReason(sink_->WaitEnded()), reason::kSimulationNotFound);
}

TEST_F(WatchDriverTest, DeletionEndsTheStream) {
  const SimulationName name = Create(MakeEndlessSpec());
  const auto driver = Watch(name);
  ASSERT_TRUE(sink_->TakeWrite());
  driver->OnWriteDone(true);
  ASSERT_TRUE(manager_.Delete(name, "", true).ok());
  while (sink_->TakeWrite()) driver->OnWriteDone(true);
  const absl::Status status = sink_->WaitEnded();
  EXPECT_TRUE(status.ok() || ErrorReason(status) == reason::kSimulationNotFound) << status;
}

TEST_F(WatchDriverTest, StallsAreBroken) {
  const auto driver = Watch(Create(MakeEndlessSpec()));
  ASSERT_TRUE(sink_->TakeWrite());
  EXPECT_FALSE(driver->AbortIfStalled(clock_.Steady() - std::chrono::hours(1)));
  EXPECT_TRUE(driver->AbortIfStalled(clock_.Steady() + std::chrono::hours(1)));
  EXPECT_TRUE(sink_->broken_);
  driver->OnWriteDone(false);
  EXPECT_EQ(ErrorReason(sink_->WaitEnded()), reason::kStreamStalled);
}

// Abort from another thread at any moment: the sink checks that the stream ends exactly once.
TEST_F(WatchDriverTest, AbortRacesWithChanges) {
  const SimulationName name = Create(MakeEndlessSpec());
  for (int round = 0; round < 50; ++round) {
    sink_ = std::make_shared<FakeSink>();
    const auto driver = Watch(name);
    std::thread other([&, round] {
      while (sink_->states().size() < static_cast<size_t>(round % 2)) std::this_thread::yield();
      driver->Abort(Draining());
    });
    while (sink_->TakeWrite()) driver->OnWriteDone(true);
    EXPECT_EQ(ErrorReason(sink_->WaitEnded()), reason::kServerDraining);
    other.join();
  }
}

}  // namespace
}  // namespace tokensim
