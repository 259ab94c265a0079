#include "server/session/runner.h"

#include <future>
#include <utility>

#include "engine/base/invariant.h"
#include "engine/compute/compute_model.h"
#include "gmock/gmock.h"
#include "server/session/runner_test_fixture.h"

namespace tokensim {
namespace {

using ::testing::ElementsAreArray;
using ::testing::UnorderedElementsAre;
using State = v1::Simulation;

// The store is asked twice about a run: to claim it, and to keep its end.
template <typename Act>
std::function<absl::Status(const SimulationName&)> AtTheEnd(Act act) {
  return [updates = std::make_shared<int>(0), act](const SimulationName&) {
    if (++*updates == 2) act();
    return absl::OkStatus();
  };
}

TEST_F(RunnerTest, AnAcceptedCancelWinsOverTheEndOfTheRun) {
  const SimulationRecord record = Store("a", MakeTestSpec(10));
  store_.before_update = AtTheEnd([&] {
    ASSERT_TRUE(memory_
                    .Update(record.name,
                            [](SimulationRecord& now) {
                              now.state = State::CANCELLING;
                              return absl::OkStatus();
                            })
                    .ok());
  });
  Start();
  Queue(record);
  const SimulationRecord ended = WaitForEnd(record);
  EXPECT_EQ(ended.state, State::CANCELLED);
  EXPECT_EQ(ended.report, nullptr);
  EXPECT_EQ(journal_.Count("CANCELLED"), 1);
  EXPECT_EQ(journal_.Count("SUCCEEDED"), 0);
}

TEST_F(RunnerTest, ARunThatWasDeletedHasNotSucceeded) {
  const SimulationRecord record = Store("a", MakeTestSpec(10));
  store_.before_update = AtTheEnd([&] { ASSERT_TRUE(memory_.Delete(record.name, {}).ok()); });
  Start();
  Queue(record);
  while (journal_.Count("CANCELLED") + journal_.Count("SUCCEEDED") == 0) std::this_thread::yield();
  EXPECT_EQ(journal_.Count("CANCELLED"), 1);
  EXPECT_EQ(journal_.Count("SUCCEEDED"), 0);
}

// Its name may be taken again before the old run ends: that simulation is not touched.
TEST_F(RunnerTest, ARunLeavesTheNextOfItsNameAlone) {
  const SimulationRecord record = Store("a", MakeTestSpec(10));
  SimulationRecord next = record;
  next.uid = "another";
  store_.before_update = AtTheEnd([&] {
    ASSERT_TRUE(memory_.Delete(record.name, {}).ok());
    ASSERT_TRUE(memory_.Create(next).ok());
  });
  Start();
  Queue(record);
  while (journal_.Count("CANCELLED") + journal_.Count("SUCCEEDED") == 0) std::this_thread::yield();
  EXPECT_EQ(journal_.Count("CANCELLED"), 1);
  EXPECT_EQ(memory_.Get(next.name)->state, State::PENDING);
}

// A disk that is full or away: neither the claim nor the result is lost, and the run is not failed.
TEST_F(RunnerTest, ARunWaitsForTheStore) {
  const SimulationRecord record = Store("a", MakeTestSpec(10));
  int calls = 0;
  store_.before_update = [&calls](const SimulationName&) {
    ++calls;
    // The claim fails twice, then the result does.
    if (calls <= 2) return MakeError(absl::StatusCode::kUnavailable, reason::kStoreUnavailable, "");
    if (calls == 4 || calls == 5) {
      return MakeError(absl::StatusCode::kResourceExhausted, reason::kStorageFull, "");
    }
    return absl::OkStatus();
  };
  Start({.store_retry = std::chrono::milliseconds(1)});
  Queue(record);
  const SimulationRecord ended = WaitForEnd(record);
  EXPECT_EQ(ended.state, State::SUCCEEDED);
  EXPECT_NE(ended.report, nullptr);
  EXPECT_EQ(ended.attempt, 1);
  EXPECT_EQ(calls, 6);
  EXPECT_EQ(journal_.Count("SUCCEEDED"), 1);
}

// The server need not wait for the disk to end; the next one runs it again.
TEST_F(RunnerTest, AServerStopsWithoutItsStore) {
  const SimulationRecord record = Store("a", MakeTestSpec(10));
  std::atomic<int> calls = 0;
  store_.before_update = [&calls](const SimulationName&) {
    if (++calls == 1) return absl::OkStatus();
    return MakeError(absl::StatusCode::kUnavailable, reason::kStoreUnavailable, "");
  };
  Start({.store_retry = std::chrono::hours(1)});
  Queue(record);
  while (calls < 2) std::this_thread::yield();
  runner_->Stop();
  EXPECT_EQ(memory_.Get(record.name)->state, State::RUNNING);
  EXPECT_EQ(journal_.Count("CANCELLED") + journal_.Count("SUCCEEDED"), 0);
}

// One thread, four runs waiting: it begins one (and gives it its first turn), gives a turn to one
// that has begun, begins the next, and so on; new ones never shut out those under way.
TEST_F(RunnerTest, BeginsAndTurnsAlternate) {
  std::promise<void> queued;
  const std::shared_future<void> all_queued = queued.get_future().share();
  journal_.on_started = [all_queued] { all_queued.wait(); };
  std::vector<SimulationRecord> records;
  for (const char* id : {"a", "b", "c", "d"}) records.push_back(Store(id, MakeTestSpec(200)));
  Start({.threads = 1, .max_running = 16, .slice_events = 100});
  for (const SimulationRecord& record : records) Queue(record);
  queued.set_value();
  for (const SimulationRecord& record : records) {
    EXPECT_EQ(WaitForEnd(record).state, State::SUCCEEDED);
  }
  std::vector<std::string> first = journal_.entries();
  ASSERT_GT(first.size(), 12u);
  first.resize(12);
  EXPECT_THAT(first, ElementsAreArray({"begin", "turn", "turn", "begin", "turn", "turn", "begin",
                                       "turn", "turn", "begin", "turn", "turn"}));
}

// Four runs take turns on one thread. Whichever is cancelled ends at once, but for the one whose
// turn it is: that one ends when it is its turn again.
TEST_F(RunnerTest, ACancelledRunDoesNotWaitForItsTurn) {
  std::vector<int64_t> turns_until_the_end;
  for (size_t cancelled = 0; cancelled < 4; ++cancelled) {
    std::promise<void> queued;
    const std::shared_future<void> all_queued = queued.get_future().share();
    journal_.on_started = [all_queued] { all_queued.wait(); };
    std::vector<SimulationRecord> records;
    for (const char* id : {"a", "b", "c", "d"}) {
      records.push_back(Store(id + std::to_string(cancelled), MakeEndlessSpec()));
    }
    int64_t turns = 0;
    journal_.on_slice = [&, turn = 0]() mutable {
      ++turns;
      if (++turn != 20) return;  // all have begun
      turns = 0;
      EXPECT_EQ(runner_->running(), 4);
      runner_->Cancel(records[cancelled].name, records[cancelled].uid);
    };
    std::promise<void> ended;
    journal_.on_finished = [&, first = true]() mutable {
      if (!std::exchange(first, false)) return;
      turns_until_the_end.push_back(turns);
      ended.set_value();
    };
    Start({.threads = 1, .max_running = 16, .slice_events = 100});
    for (const SimulationRecord& record : records) Queue(record);
    queued.set_value();
    ended.get_future().wait();
    runner_->Stop();
    EXPECT_EQ(memory_.Get(records[cancelled].name)->state, State::CANCELLED);
  }
  EXPECT_THAT(turns_until_the_end, UnorderedElementsAre(0, 0, 0, 3));
}

// What a report calls wall time is that of the run's own turns, not of those in between.
TEST_F(RunnerTest, TheTimeOfARunIsThatOfItsTurns) {
  FakeClock clock;
  journal_.on_slice = [&clock] { clock.Advance(std::chrono::seconds(1)); };
  const SimulationRecord record = Store("a", MakeTestSpec(200));
  runner_ = std::make_unique<Runner>(RunnerOptions{.slice_events = 100}, store_, plans_, watchers_,
                                     clock, journal_);
  Queue(record);
  const SimulationRecord ended = WaitForEnd(record);
  runner_ = nullptr;
  ASSERT_EQ(ended.state, State::SUCCEEDED);
  EXPECT_GT(journal_.Count("turn"), 5);
  EXPECT_DOUBLE_EQ(ended.report->execution().wall_seconds(),
                   static_cast<double>(journal_.Count("turn")));
}

// A run that broke has no end that a cancellation could have prevented: what went wrong is kept.
TEST_F(RunnerTest, AFailureWinsOverAnAcceptedCancel) {
  class Broken final : public ComputeModel {
   public:
    double IterationSeconds(const IterationShape& /*shape*/) const override {
      throw InvariantError("broken for a test");
    }
  };
  SimulationRecord record = Store("a", MakeTestSpec(10));
  const auto plan = std::make_shared<Plan>(**plans_.Get(record));
  plan->workers[0].compute = std::make_shared<Broken>();
  plans_.Put(record.uid, plan);
  store_.before_update = AtTheEnd([&] {
    ASSERT_TRUE(memory_
                    .Update(record.name,
                            [](SimulationRecord& now) {
                              now.state = State::CANCELLING;
                              return absl::OkStatus();
                            })
                    .ok());
  });
  Start();
  Queue(record);
  const SimulationRecord ended = WaitForEnd(record);
  EXPECT_EQ(ended.state, State::FAILED);
  EXPECT_NE(ended.error.message().find("broken for a test"), std::string::npos);
}

TEST_F(RunnerTest, PlacesAreCountedOnce) {
  Start({.threads = 1, .max_running = 1, .max_queued = 3});
  const SimulationRecord endless = Store("endless", MakeEndlessSpec());
  Queue(endless);
  while (runner_->queued() > 0) std::this_thread::yield();
  // Taken up at the start, without a place: it waits, and counts as one that waits.
  for (const char* id : {"a", "b"}) {
    const SimulationRecord record = Store(id, MakeTestSpec(10));
    runner_->Enqueue(Runner::Place(), record.name, record.uid);
  }
  std::optional<Runner::Place> last = runner_->Reserve();
  ASSERT_TRUE(last.has_value());
  EXPECT_FALSE(runner_->Reserve().has_value()) << "two wait and one place is taken";
  last.reset();
  EXPECT_TRUE(runner_->Reserve().has_value()) << "given back";
  const SimulationRecord c = Store("c", MakeTestSpec(10));
  Queue(c);
  EXPECT_FALSE(runner_->Reserve().has_value()) << "three wait";
  runner_->Cancel(c.name, c.uid);
  EXPECT_TRUE(runner_->Reserve().has_value());
}

}  // namespace
}  // namespace tokensim
