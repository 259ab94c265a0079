#include "server/store/memory_store.h"

#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "server/base/error.h"
#include "server/store/test_records.h"

namespace tokensim {
namespace {

void End(Store& store, const std::string& id) {
  ASSERT_TRUE(store
                  .Update({"default", id},
                          [](SimulationRecord& record) {
                            record.state = v1::Simulation::SUCCEEDED;
                            return absl::OkStatus();
                          })
                  .ok());
}

TEST(MemoryStore, DropsTheOldestEndedWhenFull) {
  MemoryStore store({.max_records = 3});
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(store.Create(MakeRecord(id)).ok());
  End(store, "c");
  End(store, "b");
  ASSERT_TRUE(store.Create(MakeRecord("d")).ok());
  EXPECT_TRUE(store.Get({"default", "a"}).ok());
  EXPECT_FALSE(store.Get({"default", "b"}).ok());
  EXPECT_TRUE(store.Get({"default", "c"}).ok());
}

TEST(MemoryStore, RefusesWhenNothingHasEnded) {
  MemoryStore store({.max_records = 2});
  ASSERT_TRUE(store.Create(MakeRecord("a")).ok());
  ASSERT_TRUE(store.Create(MakeRecord("b")).ok());
  const auto refused = store.Create(MakeRecord("c"));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(refused.status()), reason::kStorageFull);
}

SimulationRecord RecordOf(const std::string& id, size_t bytes) {
  SimulationRecord record = MakeRecord(id);
  auto spec = std::make_shared<v1::Spec>();
  spec->set_description(std::string(bytes, 'x'));
  record.spec = spec;
  return record;
}

// What has not ended fills the room: dropping the results of others would not help, so they stay.
TEST(MemoryStore, DropsNothingInVain) {
  MemoryStore store({.max_records = 1000, .max_bytes = 100'000});
  for (const char* id : {"ended1", "ended2"}) {
    ASSERT_TRUE(store.Create(RecordOf(id, 4'000)).ok());
    End(store, id);
  }
  ASSERT_TRUE(store.Create(RecordOf("waiting", 80'000)).ok());
  const auto refused = store.Create(RecordOf("large", 50'000));
  EXPECT_EQ(ErrorReason(refused.status()), reason::kStorageFull);
  EXPECT_TRUE(store.Get({"default", "ended1"}).ok());
  EXPECT_TRUE(store.Get({"default", "ended2"}).ok());
  // One that fits when the oldest goes: the other stays.
  ASSERT_TRUE(store.Create(RecordOf("small", 13'000)).ok());
  EXPECT_FALSE(store.Get({"default", "ended1"}).ok());
  EXPECT_TRUE(store.Get({"default", "ended2"}).ok());
}

// The refusal names the limit that was met, and what it is.
TEST(MemoryStore, SaysWhichLimitIsReached) {
  const auto limit = [](MemoryStore& store, SimulationRecord record) {
    google::rpc::Status wire = ToRpcStatus(store.Create(std::move(record)).status());
    for (const auto& any : wire.details()) {
      google::rpc::ErrorInfo info;
      if (any.UnpackTo(&info)) return info.metadata().at("limit") + info.metadata().at("value");
    }
    return std::string();
  };
  MemoryStore few({.max_records = 1});
  ASSERT_TRUE(few.Create(MakeRecord("a")).ok());
  EXPECT_EQ(limit(few, MakeRecord("b")), "max_stored_simulations1");
  MemoryStore small({.max_records = 10, .max_bytes = 10'000});
  EXPECT_EQ(limit(small, RecordOf("a", 20'000)), "max_stored_bytes10000");
}

TEST(MemoryStore, BoundsBytes) {
  MemoryStore store({.max_records = 1000, .max_bytes = 100'000});
  for (int i = 0; i < 50; ++i) {
    const std::string id = "s" + std::to_string(i);
    SimulationRecord record = MakeRecord(id);
    auto spec = std::make_shared<v1::Spec>();
    spec->set_description(std::string(10'000, 'x'));
    record.spec = spec;
    ASSERT_TRUE(store.Create(record).ok());
    End(store, id);
  }
  const auto kept = store.List("default", {}, kNewest, 1000).value();
  EXPECT_LE(kept.size(), 10u);
  ASSERT_FALSE(kept.empty());
  EXPECT_EQ(kept[0].name.id, "s49");
}

// One that changes takes no more room than it takes: nobody is dropped for it.
TEST(MemoryStore, AChangeOfTheSameSizeDropsNothing) {
  MemoryStore store({.max_records = 10, .max_bytes = 100'000});
  ASSERT_TRUE(store.Create(RecordOf("ended", 30'000)).ok());
  End(store, "ended");
  ASSERT_TRUE(store.Create(RecordOf("waiting", 50'000)).ok());
  ASSERT_TRUE(store
                  .Update({"default", "waiting"},
                          [](SimulationRecord& record) {
                            record.state = v1::Simulation::RUNNING;
                            return absl::OkStatus();
                          })
                  .ok());
  EXPECT_TRUE(store.Get({"default", "ended"}).ok());
}

// Dropping one that ended makes room for what it takes, once.
TEST(MemoryStore, CountsOneThatChangesAfterItsEndOnce) {
  MemoryStore store({.max_records = 10, .max_bytes = 100'000});
  ASSERT_TRUE(store.Create(RecordOf("ended", 30'000)).ok());
  for (int i = 0; i < 4; ++i) End(store, "ended");
  ASSERT_TRUE(store.Create(RecordOf("waiting", 60'000)).ok());
  EXPECT_EQ(ErrorReason(store.Create(RecordOf("large", 50'000)).status()), reason::kStorageFull);
  EXPECT_TRUE(store.Get({"default", "ended"}).ok());
}

TEST(MemoryStore, KeepsAResultThatIsLargerThanAllRoom) {
  MemoryStore store({.max_records = 10, .max_bytes = 5'000});
  ASSERT_TRUE(store.Create(MakeRecord("a")).ok());
  const auto updated = store.Update({"default", "a"}, [](SimulationRecord& record) {
    auto report = std::make_shared<v1::Report>();
    report->add_notes(std::string(50'000, 'x'));
    record.report = report;
    record.state = v1::Simulation::SUCCEEDED;
    return absl::OkStatus();
  });
  ASSERT_TRUE(updated.ok());
  EXPECT_TRUE(store.Get({"default", "a"}).ok());
  // It goes as soon as another needs the room.
  ASSERT_TRUE(store.Create(MakeRecord("b")).ok());
  EXPECT_FALSE(store.Get({"default", "a"}).ok());
}

}  // namespace
}  // namespace tokensim
