#include "server/session/session_manager.h"

#include <atomic>
#include <future>
#include <thread>

#include "gtest/gtest.h"
#include "server/base/error.h"
#include "server/session/session_test_spec.h"
#include "server/store/hooked_store.h"
#include "server/store/list_filter.h"
#include "server/store/memory_store.h"

namespace tokensim {
namespace {

using State = v1::Simulation;

class CountingMetrics final : public SessionMetrics {
 public:
  void OnAccepted() override { ++accepted; }
  void OnStarted(std::chrono::nanoseconds) override { ++started; }
  void OnSlice(std::chrono::nanoseconds, int64_t count, double) override { events += count; }
  void OnFinished(SimulationState state) override {
    ++finished;
    if (state == v1::Simulation::SUCCEEDED) ++succeeded;
  }

  std::atomic<int64_t> accepted = 0, started = 0, finished = 0, succeeded = 0, events = 0;
};

class SessionManagerTest : public ::testing::Test {
 protected:
  void Start(SessionOptions options = {}) {
    executor_ = std::make_unique<Executor>("test", 2);
    manager_ = std::make_unique<SessionManager>(options, store_, *executor_, clock_, metrics_);
    ASSERT_TRUE(manager_->Recover().ok());
  }
  void TearDown() override {
    if (manager_ != nullptr) manager_->Stop();
    if (executor_ != nullptr) executor_->Stop();
  }

  absl::StatusOr<v1::Simulation> Create(const v1::Spec& spec, CreateParams params = {}) {
    params.spec = &spec;
    return manager_->Create(params);
  }
  SimulationName CreateOk(const v1::Spec& spec, CreateParams params = {}) {
    const auto created = Create(spec, std::move(params));
    EXPECT_TRUE(created.ok()) << created.status();
    return ParseSimulationName(created->name()).value();
  }
  // Waits, watching, until the simulation is in `state`.
  v1::Simulation WaitFor(const SimulationName& name, SimulationState state) {
    std::mutex mutex;
    std::condition_variable changed;
    bool notified = true;
    const auto handle = manager_->Watch(name, [&] {
      const std::lock_guard lock(mutex);
      notified = true;
      changed.notify_all();
    });
    while (true) {
      const auto simulation = manager_->Get(name);
      EXPECT_TRUE(simulation.ok()) << simulation.status();
      if (!simulation.ok() || simulation->state() == state) {
        Settle();
        return simulation.value_or(v1::Simulation());
      }
      if (IsTerminal(simulation->state())) {
        ADD_FAILURE() << simulation->ShortDebugString();
        Settle();
        return *simulation;
      }
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return notified; });
      notified = false;
    }
  }
  // Lets calls of watchers that are under way end.
  void Settle() {
    for (int i = 0; i < 4; ++i) {
      std::promise<void> done;
      executor_->Post([&] { done.set_value(); });
      done.get_future().wait();
    }
  }

  MemoryStore memory_;
  HookedStore store_{memory_};
  SystemClock clock_;
  CountingMetrics metrics_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<SessionManager> manager_;
};

TEST_F(SessionManagerTest, RunsASimulationToItsReport) {
  Start();
  const auto created = Create(MakeTestSpec(500), {.labels = {{"team", "infra"}}});
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->state(), State::PENDING);
  EXPECT_FALSE(created->spec_digest().empty());
  const SimulationName name = ParseSimulationName(created->name()).value();
  const v1::Simulation done = WaitFor(name, State::SUCCEEDED);
  EXPECT_EQ(done.uid(), created->uid());
  EXPECT_EQ(done.labels().at("team"), "infra");
  EXPECT_EQ(done.attempt(), 1);
  EXPECT_EQ(done.report().requests().finished(), 500);
  EXPECT_EQ(done.progress().requests_finished(), 500);
  EXPECT_EQ(done.progress().fraction(), 1);
  EXPECT_GE(done.end_time().seconds(), done.create_time().seconds());
  EXPECT_NE(done.etag(), created->etag());
  EXPECT_FALSE(done.report().workers(0).has_timeline());
  const auto report = manager_->GetReport(name);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE((*report)->workers(0).has_timeline());
  EXPECT_EQ(metrics_.accepted, 1);
  EXPECT_EQ(metrics_.succeeded, 1);
  EXPECT_EQ(metrics_.events, (*report)->execution().events());
}

TEST_F(SessionManagerTest, ARunThatIsStoppedByItsSpecIsAllDone) {
  Start();
  v1::Spec spec = MakeTestSpec(500);
  spec.mutable_stop()->set_max_simulated_seconds(5.5);
  const v1::Simulation done = WaitFor(CreateOk(spec), State::SUCCEEDED);
  EXPECT_LT(done.progress().simulated_seconds(), 5.5);
  EXPECT_EQ(done.progress().fraction(), 1);
}

TEST_F(SessionManagerTest, ChecksWhatItIsGiven) {
  Start();
  const v1::Spec spec = MakeTestSpec(10);
  const auto reason = [&](CreateParams params, const v1::Spec& with) {
    const auto created = Create(with, std::move(params));
    return created.ok() ? "" : ErrorReason(created.status());
  };
  EXPECT_EQ(reason({.parent = "x"}, spec), reason::kRequestInvalid);
  EXPECT_EQ(reason({.simulation_id = "Big"}, spec), reason::kRequestInvalid);
  EXPECT_EQ(reason({.request_id = "no uuid"}, spec), reason::kRequestInvalid);
  EXPECT_EQ(reason({.labels = {{"", "x"}}}, spec), reason::kRequestInvalid);
  EXPECT_EQ(reason({.labels = {{"k", std::string(64, 'x')}}}, spec), reason::kRequestInvalid);
  EXPECT_EQ(reason({}, v1::Spec()), reason::kSpecInvalid);
  EXPECT_EQ(ErrorReason(manager_->Create({}).status()), reason::kRequestInvalid);
  v1::Spec unknown = spec;
  unknown.mutable_model()->set_preset("llama2-7c");
  EXPECT_EQ(reason({}, unknown), reason::kCatalogEntryNotFound);
  EXPECT_EQ(metrics_.accepted, 0);
}

TEST_F(SessionManagerTest, ValidateOnlyCreatesNothing) {
  Start();
  const auto checked = Create(MakeTestSpec(10), {.simulation_id = "a", .validate_only = true});
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_FALSE(checked->spec_digest().empty());
  EXPECT_EQ(ErrorReason(manager_->Get({"default", "a"}).status()), reason::kSimulationNotFound);
}

TEST_F(SessionManagerTest, ARequestIdCreatesOnce) {
  Start();
  const std::string id = "01234567-89ab-4def-8123-456789abcdef";
  const v1::Spec spec = MakeTestSpec(10);
  const SimulationName first = CreateOk(spec, {.request_id = id, .request_digest = "x"});
  EXPECT_EQ(CreateOk(spec, {.request_id = id, .request_digest = "x"}), first);
  EXPECT_EQ(ErrorReason(Create(spec, {.request_id = id, .request_digest = "y"}).status()),
            reason::kRequestIdReused);
  CreateOk(spec, {.simulation_id = "a"});
  EXPECT_EQ(ErrorReason(Create(spec, {.simulation_id = "a"}).status()), reason::kSimulationExists);
  EXPECT_EQ(metrics_.accepted, 2);
}

TEST_F(SessionManagerTest, CancelsRunningAndWaiting) {
  Start({.runner = {.max_running = 1}});
  const SimulationName running = CreateOk(MakeEndlessSpec());
  const SimulationName waiting = CreateOk(MakeEndlessSpec());
  EXPECT_GT(WaitFor(running, State::RUNNING).progress().requests_total() + 1, 0);
  EXPECT_EQ(manager_->queued(), 1);
  const auto never_run = manager_->Cancel(waiting, "not needed");
  EXPECT_EQ(never_run->state(), State::CANCELLED);
  EXPECT_TRUE(never_run->has_end_time());
  EXPECT_EQ(manager_->queued(), 0);
  const auto cancelled = manager_->Cancel(running, "not needed");
  EXPECT_TRUE(cancelled->state() == State::CANCELLING || cancelled->state() == State::CANCELLED);
  const v1::Simulation done = WaitFor(running, State::CANCELLED);
  EXPECT_EQ(done.cancel_reason(), "not needed");
  EXPECT_TRUE(done.has_end_time());
  // Again: unchanged.
  EXPECT_EQ(manager_->Cancel(running, "other")->etag(), done.etag());
  EXPECT_EQ(ErrorReason(manager_->GetReport(running).status()), reason::kReportNotReady);
  EXPECT_EQ(ErrorReason(manager_->OpenReplay(running, {}).status()), reason::kStreamNotAvailable);
  // The thread is free again.
  WaitFor(CreateOk(MakeTestSpec(10)), State::SUCCEEDED);
  EXPECT_EQ(metrics_.finished, 3);
}

TEST_F(SessionManagerTest, ShortOnesDoNotWaitForTheEndOfLongOnes) {
  Start({.runner = {.threads = 1, .max_running = 3, .slice_events = 1'000}});
  const SimulationName first = CreateOk(MakeEndlessSpec());
  const SimulationName second = CreateOk(MakeEndlessSpec());
  for (int i = 0; i < 5; ++i) WaitFor(CreateOk(MakeTestSpec(500)), State::SUCCEEDED);
  for (const SimulationName& endless : {first, second}) {
    const int64_t before = WaitFor(endless, State::RUNNING).progress().requests_finished();
    while (manager_->Get(endless)->progress().requests_finished() == before) {
      std::this_thread::yield();
    }
  }
  EXPECT_EQ(manager_->running(), 2);
  // Three at most take turns.
  const SimulationName third = CreateOk(MakeEndlessSpec());
  WaitFor(third, State::RUNNING);
  const SimulationName waiting = CreateOk(MakeTestSpec(10));
  EXPECT_EQ(manager_->running(), 3);
  EXPECT_EQ(manager_->queued(), 1);
  ASSERT_TRUE(manager_->Cancel(first, "").ok());
  WaitFor(waiting, State::SUCCEEDED);
}

TEST_F(SessionManagerTest, TheQueueIsBounded) {
  Start({.runner = {.max_running = 1, .max_queued = 2}});
  const SimulationName running = CreateOk(MakeEndlessSpec());
  WaitFor(running, State::RUNNING);
  const SimulationName first = CreateOk(MakeTestSpec(10));
  const SimulationName second = CreateOk(MakeTestSpec(10));
  const auto refused = Create(MakeTestSpec(10));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(refused.status()), reason::kServerOverloaded);
  // A refusal for another reason gives its place back.
  ASSERT_TRUE(manager_->Cancel(second, "").ok());
  EXPECT_EQ(ErrorReason(Create(v1::Spec()).status()), reason::kSpecInvalid);
  EXPECT_TRUE(Create(MakeTestSpec(10)).ok());
  ASSERT_TRUE(manager_->Cancel(running, "").ok());
  WaitFor(first, State::SUCCEEDED);
}

TEST_F(SessionManagerTest, DeletesEndedOnesAndActiveOnesByForce) {
  Start({.runner = {.threads = 1}});
  const SimulationName ended = CreateOk(MakeTestSpec(10));
  const v1::Simulation done = WaitFor(ended, State::SUCCEEDED);
  EXPECT_EQ(ErrorReason(manager_->Delete(ended, "\"0\"", false)), reason::kEtagMismatch);
  EXPECT_TRUE(manager_->Delete(ended, done.etag(), false).ok());
  EXPECT_EQ(ErrorReason(manager_->Delete(ended, "", false)), reason::kSimulationNotFound);
  const SimulationName active = CreateOk(MakeEndlessSpec(), {.simulation_id = "a"});
  WaitFor(active, State::RUNNING);
  EXPECT_EQ(ErrorReason(manager_->Delete(active, "", false)), reason::kSimulationActive);
  EXPECT_TRUE(manager_->Delete(active, "", true).ok());
  EXPECT_FALSE(manager_->Get(active).ok());
  // The name is free, and the old run does not touch the new simulation.
  const SimulationName again = CreateOk(MakeTestSpec(10), {.simulation_id = "a"});
  WaitFor(again, State::SUCCEEDED);
}

TEST_F(SessionManagerTest, StopMakesRunningOnesPendingAndTheNextServerRunsThem) {
  Start({.runner = {.max_running = 1}});
  const SimulationName running = CreateOk(MakeEndlessSpec());
  const SimulationName waiting = CreateOk(MakeTestSpec(10));
  WaitFor(running, State::RUNNING);
  manager_->Stop();
  EXPECT_EQ(manager_->Get(running)->state(), State::PENDING);
  EXPECT_EQ(manager_->Get(waiting)->state(), State::PENDING);
  EXPECT_EQ(ErrorReason(Create(MakeTestSpec(10)).status()), reason::kServerDraining);
  manager_.reset();
  Start({.runner = {.threads = 2}});
  WaitFor(waiting, State::SUCCEEDED);
  EXPECT_EQ(WaitFor(running, State::RUNNING).attempt(), 2);
}

// What was taken up at the start has no place of its own: the queue admits no more than before.
TEST_F(SessionManagerTest, TheQueueIsBoundedAfterARestart) {
  Start({.runner = {.max_running = 1}});
  WaitFor(CreateOk(MakeEndlessSpec()), State::RUNNING);
  std::vector<SimulationName> waiting;
  for (int i = 0; i < 3; ++i) waiting.push_back(CreateOk(MakeTestSpec(10)));
  manager_->Stop();
  manager_.reset();
  Start({.runner = {.max_running = 1, .max_queued = 2}});
  while (manager_->running() == 0) std::this_thread::yield();
  ASSERT_EQ(manager_->queued(), 3);
  EXPECT_EQ(ErrorReason(Create(MakeTestSpec(10)).status()), reason::kServerOverloaded);
  ASSERT_TRUE(manager_->Cancel(waiting[0], "").ok());
  EXPECT_EQ(ErrorReason(Create(MakeTestSpec(10)).status()), reason::kServerOverloaded);
  ASSERT_TRUE(manager_->Cancel(waiting[1], "").ok());
  EXPECT_TRUE(Create(MakeTestSpec(10)).ok());
  EXPECT_EQ(ErrorReason(Create(MakeTestSpec(10)).status()), reason::kServerOverloaded);
}

// A store that cannot tell what it has accepted, or take it up again: the server must not start as
// if there were nothing.
TEST_F(SessionManagerTest, AnErrorOfTheStoreAtTheStartIsReturned) {
  store_.before_unfinished = [] { return absl::DataLossError("broken"); };
  executor_ = std::make_unique<Executor>("test", 2);
  manager_ =
      std::make_unique<SessionManager>(SessionOptions(), store_, *executor_, clock_, metrics_);
  EXPECT_EQ(manager_->Recover().code(), absl::StatusCode::kDataLoss);
  manager_.reset();

  store_.before_unfinished = nullptr;
  Start({.runner = {.max_running = 1}});
  CreateOk(MakeEndlessSpec());
  manager_->Stop();
  store_.before_update = [](const SimulationName&) { return absl::DataLossError("broken"); };
  manager_ =
      std::make_unique<SessionManager>(SessionOptions(), store_, *executor_, clock_, metrics_);
  EXPECT_EQ(manager_->Recover().code(), absl::StatusCode::kDataLoss);
}

// One that ends the server whenever it runs must not do so for ever.
TEST_F(SessionManagerTest, ARunThatEndsTheServerIsNotTriedForEver) {
  Start({.runner = {.max_running = 1}, .max_attempts = 3});
  const SimulationName crasher = CreateOk(MakeEndlessSpec());
  const SimulationName unlucky = CreateOk(MakeTestSpec(10));
  manager_->Stop();
  const auto crash = [&](const SimulationName& name, int32_t attempt) {
    ASSERT_TRUE(memory_
                    .Update(name,
                            [attempt](SimulationRecord& record) {
                              record.state = State::RUNNING;
                              record.attempt = attempt;
                              return absl::OkStatus();
                            })
                    .ok());
  };
  crash(crasher, 3);
  crash(unlucky, 2);
  Start({.max_attempts = 3});
  const auto failed = manager_->Get(crasher);
  ASSERT_TRUE(failed.ok());
  EXPECT_EQ(failed->state(), State::FAILED);
  EXPECT_NE(failed->error().message().find("in 3 attempts"), std::string::npos);
  EXPECT_TRUE(failed->has_end_time());
  EXPECT_EQ(WaitFor(unlucky, State::SUCCEEDED).attempt(), 3);
}

TEST_F(SessionManagerTest, AReportIsReadInPages) {
  Start({.report_page_bytes = 4'000});
  v1::Spec spec = MakeTestSpec(100);
  spec.mutable_workers(0)->set_count(20);
  const SimulationName name = CreateOk(spec);
  WaitFor(name, State::SUCCEEDED);
  v1::Report merged;
  std::string token;
  int pages = 0;
  do {
    const auto page = manager_->GetReportPage(name, token);
    ASSERT_TRUE(page.ok()) << page.status();
    merged.MergeFrom(page->part);
    token = page->next_page_token;
    ++pages;
  } while (!token.empty());
  EXPECT_GT(pages, 3);
  EXPECT_EQ(merged.SerializeAsString(), (*manager_->GetReport(name))->SerializeAsString());
  EXPECT_EQ(ErrorReason(manager_->GetReportPage(name, "x").status()), reason::kRequestInvalid);
  // Beyond the report, of another report, of a simulation without one.
  const std::string beyond = MakePageToken(1'000'000, "report|" + manager_->Get(name)->uid());
  EXPECT_EQ(ErrorReason(manager_->GetReportPage(name, beyond).status()), reason::kRequestInvalid);
  const std::string second = manager_->GetReportPage(name, "")->next_page_token;
  const SimulationName other = CreateOk(spec);
  WaitFor(other, State::SUCCEEDED);
  EXPECT_EQ(ErrorReason(manager_->GetReportPage(other, second).status()), reason::kRequestInvalid);
  const SimulationName running = CreateOk(MakeEndlessSpec());
  EXPECT_EQ(ErrorReason(manager_->GetReportPage(running, "").status()), reason::kReportNotReady);
}

TEST_F(SessionManagerTest, ListsPagesAndFilters) {
  Start();
  std::vector<std::string> names;
  for (int i = 0; i < 5; ++i) {
    const SimulationName name =
        CreateOk(MakeTestSpec(10), {.labels = {{"odd", i % 2 == 1 ? "yes" : "no"}}});
    WaitFor(name, State::SUCCEEDED);
    names.insert(names.begin(), name.ToString());
  }
  std::vector<std::string> listed;
  ListParams params{.page_size = 2};
  do {
    const auto page = manager_->List(params);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LE(page->simulations.size(), 2u);
    for (const auto& simulation : page->simulations) {
      EXPECT_FALSE(simulation.has_spec());
      listed.push_back(simulation.name());
    }
    params.page_token = page->next_page_token;
  } while (!params.page_token.empty());
  EXPECT_EQ(listed, names);
  EXPECT_EQ(
      manager_->List({.filter = "labels.odd = yes AND state = SUCCEEDED"})->simulations.size(), 2u);
  EXPECT_EQ(ErrorReason(manager_->List({.page_size = -1}).status()), reason::kRequestInvalid);
  EXPECT_EQ(ErrorReason(manager_->List({.filter = "x = y"}).status()), reason::kRequestInvalid);
  EXPECT_EQ(ErrorReason(manager_->List({.page_token = "x"}).status()), reason::kRequestInvalid);
  const std::string token = manager_->List({.page_size = 2})->next_page_token;
  EXPECT_EQ(
      ErrorReason(manager_->List({.filter = "state = SUCCEEDED", .page_token = token}).status()),
      reason::kRequestInvalid);
}

TEST_F(SessionManagerTest, ReplaysDoNotWaitForTheRun) {
  Start({.runner = {.max_running = 1}});
  WaitFor(CreateOk(MakeEndlessSpec()), State::RUNNING);
  const SimulationName waiting = CreateOk(MakeTestSpec(50));
  auto reader = manager_->OpenReplay(waiting, {});
  ASSERT_TRUE(reader.ok()) << reader.status();
  v1::EventBatch batch;
  while ((*reader)->Read(100'000, &batch) != ReplayReader::Outcome::kEnd) {
  }
  EXPECT_TRUE((*reader)->ended());
  EXPECT_EQ(manager_->Get(waiting)->state(), State::PENDING);
  EXPECT_EQ(ErrorReason(manager_->OpenReplay(waiting, {.after_sequence = -1}).status()),
            reason::kRequestInvalid);
}

TEST_F(SessionManagerTest, RefusesStreamsOfAnotherEngine) {
  Start();
  const SimulationName name = CreateOk(MakeTestSpec(10));
  WaitFor(name, State::SUCCEEDED);
  ASSERT_TRUE(store_
                  .Update(name,
                          [](SimulationRecord& record) {
                            record.engine_version = "0";
                            return absl::OkStatus();
                          })
                  .ok());
  EXPECT_EQ(ErrorReason(manager_->OpenReplay(name, {}).status()), reason::kEngineVersionChanged);
}

TEST_F(SessionManagerTest, ManyThreadsCreateCancelAndDelete) {
  Start({.runner = {.threads = 2}});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 20; ++i) {
        const auto created =
            Create(MakeTestSpec(50), {.parent = "tenants/t" + std::to_string(t % 2)});
        ASSERT_TRUE(created.ok()) << created.status();
        const auto name = ParseSimulationName(created->name()).value();
        if (i % 3 == 0) {
          EXPECT_TRUE(manager_->Cancel(name, "").ok());
        }
        if (i % 4 == 0) {
          EXPECT_TRUE(manager_->Delete(name, "", true).ok());
        }
        EXPECT_TRUE(manager_->List({.parent = "tenants/t0"}).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  while (metrics_.finished < metrics_.accepted) std::this_thread::yield();
  EXPECT_EQ(metrics_.accepted, 80);
  EXPECT_EQ(metrics_.finished, 80);
  EXPECT_EQ(manager_->queued(), 0);
  EXPECT_TRUE(store_.Unfinished()->empty());
}

}  // namespace
}  // namespace tokensim
