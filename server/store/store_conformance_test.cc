// What every Store must do: a new one is one more line at the end.
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/error.h"
#include "server/store/memory_store.h"
#include "server/store/sqlite_store.h"
#include "server/store/test_folder.h"
#include "server/store/test_records.h"

namespace tokensim {
namespace {

using StoreFactory = std::function<std::unique_ptr<Store>()>;
// A store and its folder end together.
class StoreInFolder final : public Store {
 public:
  absl::StatusOr<Created> Create(SimulationRecord record) override {
    return store_->Create(std::move(record));
  }
  absl::StatusOr<SimulationRecord> Get(const SimulationName& name) override {
    return store_->Get(name);
  }
  absl::StatusOr<SimulationRecord> FindByRequestId(std::string_view tenant,
                                                   std::string_view id) override {
    return store_->FindByRequestId(tenant, id);
  }
  absl::StatusOr<SimulationRecord> Update(const SimulationName& name,
                                          const Change& change) override {
    return store_->Update(name, change);
  }
  absl::Status Delete(const SimulationName& name, const Check& check) override {
    return store_->Delete(name, check);
  }
  absl::StatusOr<std::vector<SimulationRecord>> List(std::string_view tenant,
                                                     const RecordFilter& filter, int64_t before,
                                                     int limit) override {
    return store_->List(tenant, filter, before, limit);
  }
  absl::StatusOr<std::vector<SimulationName>> Unfinished() override { return store_->Unfinished(); }
  absl::StatusOr<std::map<SimulationState, int64_t>> CountByState() override {
    return store_->CountByState();
  }

 private:
  TestFolder folder_;
  std::unique_ptr<SqliteStore> store_ = *SqliteStore::Open(folder_.File("state.db"), {});
};

class StoreConformance : public ::testing::TestWithParam<StoreFactory> {
 protected:
  StoreConformance() : store_(GetParam()()) {}

  void SetState(const SimulationName& name, SimulationState state) {
    const auto updated = store_->Update(name, [state](SimulationRecord& record) {
      record.state = state;
      return absl::OkStatus();
    });
    ASSERT_TRUE(updated.ok()) << updated.status();
  }

  std::vector<std::string> ListIds(const std::string& tenant, const RecordFilter& filter = {},
                                   int64_t before = kNewest, int limit = 100) {
    std::vector<std::string> ids;
    const auto records = store_->List(tenant, filter, before, limit).value();
    for (const auto& record : records) {
      ids.push_back(record.name.id);
    }
    return ids;
  }

  std::unique_ptr<Store> store_;
};

TEST_P(StoreConformance, GetsWhatWasCreated) {
  SimulationRecord record = MakeRecord("a");
  record.labels = {{"team", "infra"}};
  const auto created = store_->Create(record);
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_TRUE(created->created);
  const auto got = store_->Get({"default", "a"});
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->uid, "default-a");
  EXPECT_EQ(got->labels.at("team"), "infra");
  EXPECT_EQ(got->spec->name(), "a");
  EXPECT_EQ(got->revision, created->record.revision);
  EXPECT_EQ(got->state, v1::Simulation::PENDING);
}

TEST_P(StoreConformance, UnknownNamesAreNotFound) {
  EXPECT_EQ(ErrorReason(store_->Get({"default", "x"}).status()), reason::kSimulationNotFound);
  const auto change = [](SimulationRecord&) { return absl::OkStatus(); };
  EXPECT_EQ(ErrorReason(store_->Update({"default", "x"}, change).status()),
            reason::kSimulationNotFound);
  EXPECT_EQ(ErrorReason(store_->Delete({"default", "x"}, {})), reason::kSimulationNotFound);
}

TEST_P(StoreConformance, NamesAreTakenOnceInEachTenant) {
  ASSERT_TRUE(store_->Create(MakeRecord("a")).ok());
  const auto again = store_->Create(MakeRecord("a"));
  EXPECT_EQ(again.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ErrorReason(again.status()), reason::kSimulationExists);
  EXPECT_TRUE(store_->Create(MakeRecord("a", "lab")).ok());
}

TEST_P(StoreConformance, ARequestIdCreatesOnce) {
  ASSERT_TRUE(store_->Create(MakeRecord("a", "default", "r1", "body")).ok());
  const auto retry = store_->Create(MakeRecord("b", "default", "r1", "body"));
  ASSERT_TRUE(retry.ok()) << retry.status();
  EXPECT_FALSE(retry->created);
  EXPECT_EQ(retry->record.name.id, "a");
  const auto reuse = store_->Create(MakeRecord("c", "default", "r1", "other"));
  EXPECT_EQ(ErrorReason(reuse.status()), reason::kRequestIdReused);
  EXPECT_EQ(store_->FindByRequestId("default", "r1")->name.id, "a");
  // Another tenant's ids are its own.
  EXPECT_TRUE(store_->Create(MakeRecord("c", "lab", "r1", "other")).value().created);
  // Forgotten with the record.
  ASSERT_TRUE(store_->Delete({"default", "a"}, {}).ok());
  EXPECT_FALSE(store_->FindByRequestId("default", "r1").ok());
}

TEST_P(StoreConformance, UpdateKeepsAllOrNothing) {
  ASSERT_TRUE(store_->Create(MakeRecord("a")).ok());
  const int64_t before = store_->Get({"default", "a"})->revision;
  const auto failed = store_->Update({"default", "a"}, [](SimulationRecord& record) {
    record.state = v1::Simulation::FAILED;
    return absl::AbortedError("no");
  });
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(store_->Get({"default", "a"})->state, v1::Simulation::PENDING);
  EXPECT_EQ(store_->Get({"default", "a"})->revision, before);
  SetState({"default", "a"}, v1::Simulation::RUNNING);
  EXPECT_EQ(store_->Get({"default", "a"})->state, v1::Simulation::RUNNING);
  EXPECT_GT(store_->Get({"default", "a"})->revision, before);
}

TEST_P(StoreConformance, DeleteAsksFirst) {
  ASSERT_TRUE(store_->Create(MakeRecord("a")).ok());
  EXPECT_EQ(
      store_->Delete({"default", "a"}, [](const auto&) { return absl::AbortedError(""); }).code(),
      absl::StatusCode::kAborted);
  EXPECT_TRUE(store_->Get({"default", "a"}).ok());
  EXPECT_TRUE(store_->Delete({"default", "a"}, [](const auto&) { return absl::OkStatus(); }).ok());
  EXPECT_FALSE(store_->Get({"default", "a"}).ok());
}

TEST_P(StoreConformance, ListsNewestFirstInPages) {
  for (const char* id : {"a", "b", "c", "d"}) ASSERT_TRUE(store_->Create(MakeRecord(id)).ok());
  ASSERT_TRUE(store_->Create(MakeRecord("x", "lab")).ok());
  EXPECT_EQ(ListIds("default"), (std::vector<std::string>{"d", "c", "b", "a"}));
  EXPECT_EQ(ListIds("default", {}, kNewest, 2), (std::vector<std::string>{"d", "c"}));
  const int64_t order = store_->Get({"default", "c"})->order;
  EXPECT_EQ(ListIds("default", {}, order), (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(ListIds("default", [](const auto& r) { return r.name.id != "c"; }),
            (std::vector<std::string>{"d", "b", "a"}));
  EXPECT_TRUE(ListIds("nobody").empty());
}

TEST_P(StoreConformance, KnowsWhatHasNotEnded) {
  for (const char* id : {"a", "b", "c", "d"}) ASSERT_TRUE(store_->Create(MakeRecord(id)).ok());
  SetState({"default", "a"}, v1::Simulation::SUCCEEDED);
  SetState({"default", "b"}, v1::Simulation::RUNNING);
  SetState({"default", "c"}, v1::Simulation::CANCELLED);
  std::vector<std::string> ids;
  const auto unfinished = store_->Unfinished().value();
  for (const auto& name : unfinished) ids.push_back(name.id);
  EXPECT_EQ(ids, (std::vector<std::string>{"b", "d"}));
  const auto counts = store_->CountByState().value();
  EXPECT_EQ(counts.at(v1::Simulation::SUCCEEDED), 1);
  EXPECT_EQ(counts.at(v1::Simulation::RUNNING), 1);
  EXPECT_EQ(counts.at(v1::Simulation::CANCELLED), 1);
  EXPECT_EQ(counts.at(v1::Simulation::PENDING), 1);
}

TEST_P(StoreConformance, OneOfManyThreadsCreates) {
  std::vector<std::thread> threads;
  std::vector<Store::Created> results(8);
  for (size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([this, i, &results] {
      results[i] =
          store_->Create(MakeRecord("s" + std::to_string(i), "default", "same", "body")).value();
    });
  }
  for (std::thread& thread : threads) thread.join();
  int created = 0;
  std::set<std::string> names;
  for (const auto& result : results) {
    created += result.created ? 1 : 0;
    names.insert(result.record.name.id);
  }
  EXPECT_EQ(created, 1);
  EXPECT_EQ(names.size(), 1u);
}

TEST_P(StoreConformance, UpdatesOfOneRecordAreSerial) {
  ASSERT_TRUE(store_->Create(MakeRecord("a")).ok());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (int k = 0; k < 100; ++k) {
        (void)store_->Update({"default", "a"}, [](SimulationRecord& record) {
          ++record.attempt;
          return absl::OkStatus();
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store_->Get({"default", "a"})->attempt, 400);
}

INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance, ::testing::Values(StoreFactory([] {
                           return std::make_unique<MemoryStore>();
                         })));
INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformance, ::testing::Values(StoreFactory([] {
                           return std::make_unique<StoreInFolder>();
                         })));

}  // namespace
}  // namespace tokensim
