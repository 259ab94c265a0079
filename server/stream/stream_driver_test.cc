#include "server/stream/stream_driver.h"

#include <atomic>
#include <condition_variable>
#include <new>
#include <thread>
#include <vector>

#include "engine/base/invariant.h"
#include "engine/base/rng.h"
#include "engine/compute/compute_model.h"
#include "engine/io/events/replay_test_plan.h"
#include "gtest/gtest.h"
#include "server/base/error.h"

namespace tokensim {
namespace {

// Takes batches; completes writes when told to.
class FakeSink final : public StreamSink<v1::EventBatch> {
 public:
  void Write(const v1::EventBatch& batch) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(writing_) << "two writes at once";
    EXPECT_FALSE(finished_);
    writing_ = true;
    ++batches_;
    covered_ = batch.covered_through();
    for (const auto& event : batch.events()) sequences_.push_back(event.sequence());
    changed_.notify_all();
  }
  void End(const absl::Status& status) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(finished_) << "finished twice";
    EXPECT_FALSE(writing_) << "finished during a write";
    finished_ = true;
    status_ = status;
    changed_.notify_all();
  }
  void BreakWrite(const absl::Status&) override {
    const std::lock_guard lock(mutex_);
    broken_ = true;
    changed_.notify_all();
  }

  // Waits for a write and takes it off; false when the stream is finished instead.
  bool TakeWrite() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return writing_ || finished_; });
    const bool took = writing_;
    writing_ = false;
    return took;
  }
  absl::Status WaitFinished() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return finished_; });
    return status_;
  }
  [[nodiscard]] std::vector<int64_t> sequences() {
    const std::lock_guard lock(mutex_);
    return sequences_;
  }
  [[nodiscard]] int batches() {
    const std::lock_guard lock(mutex_);
    return batches_;
  }
  [[nodiscard]] bool finished() {
    const std::lock_guard lock(mutex_);
    return finished_;
  }
  [[nodiscard]] bool broken() {
    const std::lock_guard lock(mutex_);
    return broken_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool writing_ = false;
  bool finished_ = false;
  bool broken_ = false;
  int batches_ = 0;
  int64_t covered_ = 0;
  std::vector<int64_t> sequences_;
  absl::Status status_;
};

// The test owns the sink.
std::shared_ptr<FakeSink> Shared(FakeSink& sink) {
  return {&sink, [](FakeSink*) {}};
}

StreamDriver::Open OpenTestPlan(ReplayOptions options = {}) {
  return [options]() -> absl::StatusOr<std::unique_ptr<ReplayReader>> {
    static const auto plan = MakeTestPlan(200);
    return std::make_unique<ReplayReader>(plan, options);
  };
}

class StreamDriverTest : public ::testing::Test {
 protected:
  std::shared_ptr<StreamDriver> Make(StreamDriver::Open open, StreamOptions options = {}) {
    return std::make_shared<StreamDriver>(std::move(open), options, executor_, clock_,
                                          Shared(sink_));
  }
  void ReadToEnd(StreamDriver& driver) {
    while (sink_.TakeWrite()) driver.OnWriteDone(true);
  }

  FakeClock clock_;
  FakeSink sink_;
  Executor executor_{"test", 2};
};

TEST_F(StreamDriverTest, DeliversTheWholeStream) {
  const auto driver = Make(OpenTestPlan({.max_batch_bytes = 4096}));
  driver->Start();
  ReadToEnd(*driver);
  EXPECT_TRUE(sink_.WaitFinished().ok());
  const auto sequences = sink_.sequences();
  ASSERT_GT(sequences.size(), 1000u);
  for (size_t i = 0; i < sequences.size(); ++i) {
    EXPECT_EQ(sequences[i], static_cast<int64_t>(i) + 1);
  }
}

TEST_F(StreamDriverTest, NothingRunsForAReaderThatDoesNotRead) {
  const auto driver = Make(OpenTestPlan({.max_batch_bytes = 1024}));
  driver->Start();
  ASSERT_TRUE(sink_.TakeWrite());
  executor_.Stop();  // runs whatever is posted
  EXPECT_EQ(sink_.batches(), 1);
  driver->OnWriteDone(true);  // no executor any more
  EXPECT_EQ(ErrorReason(sink_.WaitFinished()), reason::kServerDraining);
}

TEST_F(StreamDriverTest, ErrorsOfOpeningEndTheStream) {
  const auto driver = Make([]() -> absl::StatusOr<std::unique_ptr<ReplayReader>> {
    return absl::NotFoundError("none");
  });
  driver->Start();
  EXPECT_EQ(sink_.WaitFinished().code(), absl::StatusCode::kNotFound);
}

// An engine for which there is no memory: this stream ends, the process goes on.
TEST_F(StreamDriverTest, MemoryThatIsNotThereEndsTheStream) {
  const auto driver =
      Make([]() -> absl::StatusOr<std::unique_ptr<ReplayReader>> { throw std::bad_alloc(); });
  driver->Start();
  EXPECT_EQ(ErrorReason(sink_.WaitFinished()), reason::kOutOfMemory);
}

TEST_F(StreamDriverTest, ErrorsOfTheReplayEndTheStream) {
  const auto driver = Make(OpenTestPlan({.after_sequence = 100'000'000}));
  driver->Start();
  ReadToEnd(*driver);
  EXPECT_EQ(ErrorReason(sink_.WaitFinished()), reason::kCursorOutOfRange);
}

TEST_F(StreamDriverTest, AbortWaitsForTheWrite) {
  const auto driver = Make(OpenTestPlan({.max_batch_bytes = 1024}));
  driver->Start();
  ASSERT_TRUE(sink_.TakeWrite());
  driver->Abort(Draining());
  driver->OnWriteDone(true);
  EXPECT_EQ(ErrorReason(sink_.WaitFinished()), reason::kServerDraining);
}

TEST_F(StreamDriverTest, BreaksAWriteThatStalls) {
  const auto driver = Make(OpenTestPlan({.max_batch_bytes = 1024}));
  driver->Start();
  ASSERT_TRUE(sink_.TakeWrite());
  EXPECT_FALSE(driver->AbortIfStalled(clock_.Steady()));
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_TRUE(driver->AbortIfStalled(clock_.Steady()));
  EXPECT_FALSE(driver->AbortIfStalled(clock_.Steady())) << "once is enough";
  EXPECT_TRUE(sink_.broken());
  driver->OnWriteDone(false);
  EXPECT_EQ(ErrorReason(sink_.WaitFinished()), reason::kStreamStalled);
}

TEST_F(StreamDriverTest, LostConnectionCancels) {
  const auto driver = Make(OpenTestPlan({.max_batch_bytes = 1024}));
  driver->Start();
  ASSERT_TRUE(sink_.TakeWrite());
  driver->OnWriteDone(false);
  EXPECT_EQ(sink_.WaitFinished().code(), absl::StatusCode::kCancelled);
}

TEST_F(StreamDriverTest, FilteredOutStreamsStillMoveTheCursor) {
  ReplayOptions options;
  options.filter.add_kinds(v1::EVENT_KIND_SIMULATION_ENDED);
  StreamOptions stream;
  stream.heartbeat = std::chrono::seconds(0);
  stream.slice_engine_events = 100;
  const auto driver = Make(OpenTestPlan(options), stream);
  driver->Start();
  ReadToEnd(*driver);
  EXPECT_TRUE(sink_.WaitFinished().ok());
  EXPECT_EQ(sink_.sequences().size(), 1u);
  EXPECT_GT(sink_.batches(), 5);
}

// Events do not wait until a batch is full, nor for the heartbeat.
TEST_F(StreamDriverTest, EventsAreSentAfterTheDelayOfABatch) {
  StreamOptions stream;
  stream.max_batch_delay = std::chrono::seconds(0);
  stream.heartbeat = std::chrono::hours(1);
  stream.slice_engine_events = 100;
  const auto driver = Make(OpenTestPlan({.max_batch_bytes = 1 << 20}), stream);
  driver->Start();
  ReadToEnd(*driver);
  EXPECT_TRUE(sink_.WaitFinished().ok());
  EXPECT_GT(sink_.batches(), 5);
}

// An engine that breaks: what happened before is delivered, then the error.
TEST_F(StreamDriverTest, EventsBeforeAnErrorAreDelivered) {
  class BreaksLater final : public ComputeModel {
   public:
    double IterationSeconds(const IterationShape& /*shape*/) const override {
      if (++iterations_ == 50) throw InvariantError("broken for a test");
      return 0.01;
    }

   private:
    mutable int iterations_ = 0;
  };
  const auto driver = Make([]() -> absl::StatusOr<std::unique_ptr<ReplayReader>> {
    const auto plan = std::make_shared<Plan>(*MakeTestPlan(200));
    for (WorkerPlan& worker : plan->workers) worker.compute = std::make_shared<BreaksLater>();
    return std::make_unique<ReplayReader>(plan, ReplayOptions{.max_batch_bytes = 1 << 20});
  });
  driver->Start();
  ReadToEnd(*driver);
  EXPECT_EQ(sink_.WaitFinished().code(), absl::StatusCode::kInternal);
  const std::vector<int64_t> sequences = sink_.sequences();
  EXPECT_GT(sequences.size(), 50u);
  for (size_t i = 0; i < sequences.size(); ++i) {
    ASSERT_EQ(sequences[i], static_cast<int64_t>(i) + 1);
  }
}

// Readers, cancellation, abort and stall checks race; the sink checks that each stream is finished
// exactly once, never during a write.
TEST_F(StreamDriverTest, RacesFinishExactlyOnce) {
  RngStream rng(3, "races");
  for (int round = 0; round < 100; ++round) {
    FakeSink sink;
    const auto driver = std::make_shared<StreamDriver>(OpenTestPlan({.max_batch_bytes = 1024}),
                                                       StreamOptions{.slice_engine_events = 50},
                                                       executor_, clock_, Shared(sink));
    driver->Start();
    const auto writes = static_cast<int>(rng.Below(30));
    const bool abort = rng.Below(2) == 0;
    const bool stall = rng.Below(2) == 0;
    std::thread other([&] {
      while (!sink.finished() && sink.batches() < writes) std::this_thread::yield();
      if (stall) driver->AbortIfStalled(clock_.Steady() + std::chrono::seconds(1));
      if (abort) driver->Abort(Draining());
      driver->Abort(absl::CancelledError());
    });
    while (sink.TakeWrite()) driver->OnWriteDone(!sink.broken());
    (void)sink.WaitFinished();
    other.join();
  }
}

}  // namespace
}  // namespace tokensim
