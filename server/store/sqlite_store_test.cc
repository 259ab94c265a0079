#include "server/store/sqlite_store.h"

#include <fstream>
#include <utility>

#include "gtest/gtest.h"
#include "server/base/error.h"
#include "server/store/test_folder.h"
#include "server/store/test_records.h"

namespace tokensim {
namespace {

std::unique_ptr<SqliteStore> OpenOk(const std::string& path, const StoreLimits& limits = {}) {
  auto store = SqliteStore::Open(path, limits);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

std::shared_ptr<const v1::Report> ReportOf(const std::string& name) {
  auto report = std::make_shared<v1::Report>();
  report->set_spec_name(name);
  report->add_workers()->mutable_timeline()->set_interval_seconds(2);
  return report;
}

void Succeed(Store& store, const SimulationName& name, std::shared_ptr<const v1::Report> report) {
  const auto done = store.Update(name, [&](SimulationRecord& record) {
    record.state = v1::Simulation::SUCCEEDED;
    record.report = report;
    return absl::OkStatus();
  });
  ASSERT_TRUE(done.ok()) << done.status();
}

TEST(SqliteStore, KeepsEverythingInItsFile) {
  const TestFolder folder;
  int64_t last_order = 0;
  {
    const auto store = OpenOk(folder.File("s.db"));
    SimulationRecord record = MakeRecord("a", "default", "r1", "body");
    record.labels = {{"team", "infra"}};
    ASSERT_TRUE(store->Create(record).ok());
    ASSERT_TRUE(store->Create(MakeRecord("b")).ok());
    Succeed(*store, {"default", "a"}, ReportOf("mine"));
    last_order = store->Create(MakeRecord("c"))->record.order;
    ASSERT_TRUE(store->Delete({"default", "c"}, {}).ok());
  }
  const auto store = OpenOk(folder.File("s.db"));
  const auto a = store->Get({"default", "a"});
  ASSERT_TRUE(a.ok()) << a.status();
  EXPECT_EQ(a->state, v1::Simulation::SUCCEEDED);
  EXPECT_EQ(a->revision, 2);
  EXPECT_EQ(a->spec->name(), "a");
  EXPECT_EQ(a->report->spec_name(), "mine");
  EXPECT_EQ(a->report->workers(0).timeline().interval_seconds(), 2);
  EXPECT_EQ(a->labels.at("team"), "infra");
  const auto retry = store->Create(MakeRecord("z", "default", "r1", "body"));
  ASSERT_TRUE(retry.ok()) << retry.status();
  EXPECT_FALSE(retry->created);
  EXPECT_EQ(retry->record.name.id, "a");
  EXPECT_EQ(store->Unfinished().value().size(), 1U);
  // An order is never used again: page tokens are made of it.
  EXPECT_GT(store->Create(MakeRecord("d"))->record.order, last_order);
}

TEST(SqliteStore, ReadsPartsThatItDoesNotHoldInMemory) {
  const TestFolder folder;
  constexpr int kReports = 40;
  std::string large(4 << 20, 'x');
  const auto store = OpenOk(folder.File("s.db"));
  for (int i = 0; i < kReports; ++i) {
    const std::string id = "r" + std::to_string(i);
    ASSERT_TRUE(store->Create(MakeRecord(id)).ok());
    large[0] = static_cast<char>('a' + i % 26);
    Succeed(*store, {"default", id}, ReportOf(large));
  }
  for (int i = 0; i < kReports; ++i) {
    const auto got = store->Get({"default", "r" + std::to_string(i)});
    ASSERT_TRUE(got.ok());
    ASSERT_NE(got->report, nullptr);
    EXPECT_EQ(got->report->spec_name()[0], 'a' + i % 26);
    EXPECT_EQ(got->report->spec_name().size(), large.size());
  }
}

TEST(SqliteStore, DropsTheOldestEndedWhenFull) {
  const TestFolder folder;
  const auto store = OpenOk(folder.File("s.db"), {.max_records = 3});
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(store->Create(MakeRecord(id)).ok());
  Succeed(*store, {"default", "c"}, ReportOf("c"));
  Succeed(*store, {"default", "b"}, ReportOf("b"));
  ASSERT_TRUE(store->Create(MakeRecord("d")).ok());
  EXPECT_TRUE(store->Get({"default", "a"}).ok());
  EXPECT_FALSE(store->Get({"default", "b"}).ok());
  EXPECT_TRUE(store->Get({"default", "c"}).ok());
  ASSERT_TRUE(store->Create(MakeRecord("e")).ok());
  const auto refused = store->Create(MakeRecord("f"));
  EXPECT_EQ(ErrorReason(refused.status()), reason::kStorageFull);
}

// Random text, of which a fifth is won by compressing it.
SimulationRecord Incompressible(const std::string& id, size_t bytes) {
  SimulationRecord record = MakeRecord(id);
  auto spec = std::make_shared<v1::Spec>();
  uint32_t state = 1;
  std::string text;
  for (size_t i = 0; i < bytes; ++i) {
    state = state * 1664525U + 1013904223U;
    text += static_cast<char>('!' + (state >> 24) % 90);
  }
  spec->set_description(text);
  record.spec = spec;
  return record;
}

TEST(SqliteStore, DropsNothingInVain) {
  const TestFolder folder;
  const auto store = OpenOk(folder.File("s.db"), {.max_bytes = 100'000});
  for (const char* id : {"ended1", "ended2"}) {
    ASSERT_TRUE(store->Create(Incompressible(id, 5'000)).ok());
    Succeed(*store, {"default", id}, nullptr);
  }
  ASSERT_TRUE(store->Create(Incompressible("waiting", 100'000)).ok());
  const auto refused = store->Create(Incompressible("large", 60'000));
  EXPECT_EQ(ErrorReason(refused.status()), reason::kStorageFull);
  EXPECT_TRUE(store->Get({"default", "ended1"}).ok());
  EXPECT_TRUE(store->Get({"default", "ended2"}).ok());
  // One that fits when the oldest has gone.
  ASSERT_TRUE(store->Create(Incompressible("fits", 14'000)).ok());
  EXPECT_FALSE(store->Get({"default", "ended1"}).ok());
  EXPECT_TRUE(store->Get({"default", "ended2"}).ok());
}

TEST(SqliteStore, OneProcessHasTheFile) {
  const TestFolder folder;
  const auto store = OpenOk(folder.File("s.db"));
  const auto second = SqliteStore::Open(folder.File("s.db"), {});
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  EXPECT_NE(second.status().message().find("in use by another process"), std::string_view::npos);
}

TEST(SqliteStore, ANewerSchemaIsRefused) {
  const TestFolder folder;
  { (void)OpenOk(folder.File("s.db")); }
  {
    auto database = SqliteDatabase::Open(folder.File("s.db"));
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE((*database)->Execute("PRAGMA user_version=99").ok());
  }
  const auto newer = SqliteStore::Open(folder.File("s.db"), {});
  EXPECT_TRUE(absl::IsFailedPrecondition(newer.status()));
  EXPECT_NE(newer.status().message().find("written by a newer tokensimd"), std::string_view::npos);
}

TEST(SqliteStore, WhatIsNoStoreIsDataLoss) {
  const TestFolder folder;
  std::ofstream(folder.File("s.db")) << std::string(10'000, 'x');
  EXPECT_TRUE(absl::IsDataLoss(SqliteStore::Open(folder.File("s.db"), {}).status()));
}

TEST(SqliteStore, ListsWithoutParts) {
  const TestFolder folder;
  const auto store = OpenOk(folder.File("s.db"));
  ASSERT_TRUE(store->Create(MakeRecord("a")).ok());
  const auto records = store->List("default", {}, kNewest, 10).value();
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].spec, nullptr);
  EXPECT_EQ(records[0].spec_name, "a");
}

}  // namespace
}  // namespace tokensim
