#include "server/store/memory_store.h"

#include "gtest/gtest.h"
#include "server/store/store_conformance_test.h"

namespace tokensim {
namespace {

INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance, ::testing::Values(StoreFactory([] {
                           return std::make_unique<MemoryStore>();
                         })));

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
