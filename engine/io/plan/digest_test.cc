#include "engine/io/plan/digest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/io/plan/test_specs.h"

namespace tokensim {
namespace {

using ::testing::MatchesRegex;

std::string DigestOf(const Changes& changes) { return PrepareChanged(changes).digest; }

TEST(DigestTest, IsASha256) {
  EXPECT_THAT(DigestOf({}), MatchesRegex("sha256:[0-9a-f]+"));
  EXPECT_EQ(DigestOf({}).size(), 7 + 64);
}

// The encoding is part of the identity of stored results: a change of it is a change of every
// digest. This spec uses no preset, so it changes for no other reason.
TEST(DigestTest, Golden) {
  const PreparedSpec prepared = PrepareSpec(ParseSpec(R"(
name: any
workers: [{name: w, compute: {affine: {iteration_seconds: 5ms}}, memory: {kv_blocks: 101}}]
workload:
  num_requests: 10
  arrival: {constant: {rate_per_second: 10}}
  lengths: {independent: {input: {fixed: 100}, output: {uniform: {min: 1, max: 20}}}}
)"),
                                            TracePolicy::NoPaths());
  EXPECT_EQ(prepared.digest,
            "sha256:9ae6d00eb7a72a22aa596f94dbd2b69a690e6321195084844260e9ca59644890");
}

TEST(DigestTest, NamesAndDescriptionsDoNotCount) {
  EXPECT_EQ(DigestOf({{"name", "x"}, {"description", "y"}, {"model.source", "z"}}), DigestOf({}));
}

TEST(DigestTest, WhatIsADefaultMayBeWritten) {
  EXPECT_EQ(DigestOf({{"seed", "0"}, {"memory.block_size", "16"}, {"slo", "{}"}}), DigestOf({}));
  EXPECT_EQ(DigestOf({{"local_scheduler", "chunked"}}), DigestOf({}));
}

// Both zeros mean the same, though their bits differ.
TEST(DigestTest, ANegativeZeroIsAZero) {
  v1::Spec spec;
  spec.mutable_slo()->set_ttft_seconds(0.0);
  const std::string zero = SpecDigest(spec);
  spec.mutable_slo()->set_ttft_seconds(-0.0);
  EXPECT_EQ(SpecDigest(spec), zero);
  spec.mutable_slo()->set_ttft_seconds(1e-300);
  EXPECT_NE(SpecDigest(spec), zero);
}

TEST(DigestTest, EveryChangeOfMeaningCounts) {
  const std::vector<Changes> variants = {
      {},
      {{"seed", "1"}},
      {{"workers[0].count", "2"}},
      {{"model.num_layers", "31"}},
      {{"memory.block_size", "8"}},
      {{"local_scheduler", "orca"}},
      {{"slo.ttft_seconds", "1s"}},
      {{"slo.tpot_seconds", "1s"}},
      {{"workload.arrival.constant.rate_per_second", "1"}},
      {{"workload.lengths.independent.output.fixed", "101"}},
      {{"workload.lengths.independent.input.fixed", "101"}},
      {{"output.timeline_points", "100"}},
  };
  std::set<std::string> digests;
  for (const Changes& changes : variants) digests.insert(DigestOf(changes));
  EXPECT_EQ(digests.size(), variants.size());
}

}  // namespace
}  // namespace tokensim
