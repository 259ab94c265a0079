// The table of a message's fields, and what happens to fields that do not apply.
#include "engine/io/plan/fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tokensim/v1/spec.pb.h"

namespace tokensim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr FieldRule kMemory[] = {
    Integer("block_size", 1, 65'536).Default(16),
    Positive("gpu_memory_utilization", 1).Default(0.9),
    Enumeration("granularity", "a granularity").Default(v1::GRANULARITY_BLOCK),
    Flag("overlap_swap").Default(0), Integer("kv_blocks", 1, 100).Required("how many there are")};
constexpr FieldRule kCalibration[] = {NotNegative("iteration_seconds", 10),
                                      Between("dense_factor", 0.5, 2).Default(1)};

std::vector<std::string> Texts(Findings* findings) {
  std::vector<std::string> texts;
  for (const v1::Finding& f : findings->Take()) {
    texts.push_back(v1::Finding::Severity_Name(f.severity()) + " " + f.field() + ": " +
                    f.message());
  }
  return texts;
}

TEST(FieldsTest, DefaultsAreSetAndRequiredOnesMissing) {
  Findings findings;
  v1::Memory memory;
  EXPECT_FALSE(ResolveFields(Checker(&findings, "m"), kMemory, &memory));
  EXPECT_THAT(Texts(&findings), ElementsAre("ERROR m.kv_blocks: is missing: how many there are"));
  EXPECT_EQ(memory.ShortDebugString(),
            "block_size: 16 gpu_memory_utilization: 0.9 granularity: GRANULARITY_BLOCK "
            "overlap_swap: false");
}

TEST(FieldsTest, WhatIsGivenStaysAndIsChecked) {
  Findings findings;
  v1::Memory memory;
  memory.set_block_size(0);
  memory.set_gpu_memory_utilization(0);
  memory.set_granularity(static_cast<v1::Granularity>(9));
  memory.set_overlap_swap(true);
  memory.set_kv_blocks(7);
  EXPECT_FALSE(ResolveFields(Checker(&findings, "m"), kMemory, &memory));
  v1::Calibration calibration;
  calibration.set_iteration_seconds(-1);
  calibration.set_dense_factor(0.4);
  EXPECT_FALSE(ResolveFields(Checker(&findings, "c"), kCalibration, &calibration));
  EXPECT_THAT(Texts(&findings),
              ElementsAre("ERROR m.block_size: is 0; allowed are 1 .. 65,536",
                          "ERROR m.gpu_memory_utilization: is 0; it must be above 0 and at most 1",
                          "ERROR m.granularity: is not a granularity; allowed are block, token, "
                          "byte",
                          "ERROR c.iteration_seconds: is -1; allowed are 0 .. 10",
                          "ERROR c.dense_factor: is 0.4; allowed are 0.5 .. 2"));
  EXPECT_TRUE(memory.overlap_swap());
  EXPECT_EQ(memory.kv_blocks(), 7);
}

TEST(FieldsTest, WhatDoesNotApplyIsCheckedToldAndRemoved) {
  Findings findings;
  v1::Memory memory;
  memory.set_block_size(16);  // the default: nothing to tell
  memory.set_gpu_memory_utilization(0.5);
  memory.set_kv_blocks(0);
  RemoveUnused(Checker(&findings, "m"), kMemory, "it is off", &memory);
  EXPECT_THAT(Texts(&findings),
              ElementsAre("WARNING m.gpu_memory_utilization: is not used: it is off",
                          "ERROR m.kv_blocks: is 0; allowed are 1 .. 100"));
  EXPECT_EQ(memory.ByteSizeLong(), 0U);
}

TEST(FieldsTest, SectionsThatDoNotApply) {
  Findings findings;
  const Checker check(&findings, "w");
  v1::WorkerGroup group;
  group.mutable_connection();
  RemoveUnused(check, "connection", "nobody sends", &group);
  EXPECT_THAT(Texts(&findings), IsEmpty()) << "an empty one says nothing";
  EXPECT_FALSE(group.has_connection());
  group.mutable_connection()->set_name("pcie4");
  group.add_breakpoints();
  RemoveUnused(check, "connection", "nobody sends", &group);
  RemoveUnused(check, "breakpoints", "nobody stops", &group);
  EXPECT_THAT(Texts(&findings), ElementsAre("WARNING w.connection: is not used: nobody sends",
                                            "WARNING w.breakpoints: is not used: nobody stops"));
  EXPECT_EQ(group.ByteSizeLong(), 0U);
}

}  // namespace
}  // namespace tokensim
