#include "server/store/record_codec.h"

#include "gtest/gtest.h"

namespace tokensim {
namespace {

SimulationRecord FullRecord() {
  SimulationRecord record;
  record.name = {"lab", "nightly-17"};
  record.uid = "uid";
  record.labels = {{"team", "infra"}, {"empty", ""}};
  record.spec_name = "a spec";
  record.spec_digest = "sha256:1";
  record.engine_version = "2";
  record.state = v1::Simulation::FAILED;
  record.create_time = WallTime(std::chrono::nanoseconds(1'700'000'000'123'456'789));
  record.start_time = record.create_time + std::chrono::seconds(1);
  record.update_time = record.create_time + std::chrono::seconds(2);
  record.attempt = 3;
  record.progress.set_events(7);
  record.cancel_reason = "why";
  record.error.set_code(13);
  record.error.set_message("broke");
  return record;
}

TEST(RecordCodec, EveryFieldComesBack) {
  const SimulationRecord record = FullRecord();
  SimulationRecord read;
  ASSERT_TRUE(DecodeRecord(EncodeRecord(record), &read).ok());
  EXPECT_EQ(read.name, record.name);
  EXPECT_EQ(read.uid, record.uid);
  EXPECT_EQ(read.labels, record.labels);
  EXPECT_EQ(read.spec_name, record.spec_name);
  EXPECT_EQ(read.spec_digest, record.spec_digest);
  EXPECT_EQ(read.engine_version, record.engine_version);
  EXPECT_EQ(read.state, record.state);
  EXPECT_EQ(read.create_time, record.create_time);
  EXPECT_EQ(read.start_time, record.start_time);
  EXPECT_EQ(read.end_time, WallTime{});  // not yet
  EXPECT_EQ(read.update_time, record.update_time);
  EXPECT_EQ(read.attempt, 3);
  EXPECT_EQ(read.progress.events(), 7);
  EXPECT_EQ(read.cancel_reason, "why");
  EXPECT_EQ(read.error.message(), "broke");
  EXPECT_EQ(EncodeRecord(read).size(), EncodeRecord(record).size());
}

TEST(RecordCodec, WhatIsNoRecordIsDataLoss) {
  SimulationRecord record;
  EXPECT_TRUE(absl::IsDataLoss(DecodeRecord("\xff\xff", &record)));
  EXPECT_TRUE(absl::IsDataLoss(DecodeRecord("", &record)));  // no name
}

TEST(RecordCodec, MessagesAreCompressed) {
  v1::Spec spec;
  spec.set_description(std::string(100'000, 'x'));
  const std::string bytes = CompressMessage(spec);
  EXPECT_LT(bytes.size(), 1'000U);
  v1::Spec read;
  ASSERT_TRUE(DecompressMessage(bytes, &read).ok());
  EXPECT_EQ(read.description(), spec.description());
  v1::Spec nothing;
  ASSERT_TRUE(DecompressMessage(CompressMessage(v1::Spec()), &nothing).ok());
}

TEST(RecordCodec, DamagedMessagesAreDataLoss) {
  v1::Spec spec;
  spec.set_description("something");
  const std::string good = CompressMessage(spec);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x55);
    v1::Spec read;
    const absl::Status status = DecompressMessage(bad, &read);
    // Some flips of a text give another text; none gives a crash.
    EXPECT_TRUE(status.ok() || absl::IsDataLoss(status)) << i;
    EXPECT_TRUE(absl::IsDataLoss(DecompressMessage(good.substr(0, i), &read)));
  }
}

}  // namespace
}  // namespace tokensim
