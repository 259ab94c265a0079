#include "engine/compute/profile/attention_table.h"

#include <gtest/gtest.h>

#include "engine/base/invariant.h"

namespace tokensim {
namespace {

void Add(AttentionTimesTable& table, int32_t chunk, int32_t history, int32_t decodes,
         int32_t context, float microseconds) {
  table.prefill_chunk.push_back(chunk);
  table.kv_prefill.push_back(history);
  table.n_decode.push_back(decodes);
  table.kv_decode.push_back(context);
  table.microseconds.push_back(microseconds);
}

// Time is chunk + history / 100 + decodes * context / 100, on different grids for 16 and 24.
AttentionTimesTable Bilinear() {
  AttentionTimesTable table;
  const auto time = [](int32_t c, int32_t h, int32_t n, int32_t k) {
    return static_cast<float>(c + h / 100.0 + n * k / 100.0);
  };
  for (const int32_t n : {1, 4, 16}) {
    for (const int32_t k : {16, 100, 1000}) Add(table, 0, 0, n, k, time(0, 0, n, k));
  }
  for (const int32_t h : {0, 100, 1000}) {
    Add(table, 16, h, 0, 0, time(16, h, 0, 0));
    for (const int32_t n : {1, 8}) {
      for (const int32_t k : {16, 1000}) Add(table, 16, h, n, k, time(16, h, n, k));
    }
  }
  for (const int32_t h : {0, 500, 1000}) {
    Add(table, 24, h, 0, 0, time(24, h, 0, 0));
    for (const int32_t n : {1, 8}) {
      for (const int32_t k : {500, 1000}) Add(table, 24, h, n, k, time(24, h, n, k));
    }
  }
  return table;
}

constexpr double kTolerance = 1e-11;

TEST(AttentionTableTest, GivesWhatWasMeasured) {
  const AttentionTimesTable measured = Bilinear();
  const AttentionTable table(measured);
  for (size_t i = 0; i < measured.size(); ++i) {
    const AttentionPoint point = {
        static_cast<double>(measured.prefill_chunk[i]), static_cast<double>(measured.kv_prefill[i]),
        static_cast<double>(measured.n_decode[i]), static_cast<double>(measured.kv_decode[i])};
    EXPECT_NEAR(table.Seconds(point), 1e-6 * measured.microseconds[i], kTolerance) << i;
  }
}

TEST(AttentionTableTest, IsLinearBetweenMeasurements) {
  const AttentionTable table(Bilinear());
  EXPECT_NEAR(table.Seconds({0, 0, 10, 550}), 55e-6, kTolerance);
  EXPECT_NEAR(table.Seconds({16, 50, 4, 508}), 36.82e-6, kTolerance);
  // Between chunks of different grids.
  EXPECT_NEAR(table.Seconds({20, 250, 4, 600}), 46.5e-6, kTolerance);
  // Below the first context of the second grid: towards the chunk alone.
  EXPECT_NEAR(table.Seconds({24, 250, 8, 250}), (24 + 2.5 + 20) * 1e-6, kTolerance);
}

TEST(AttentionTableTest, DecodesThatAreNotThereCostNothing) {
  const AttentionTable table(Bilinear());
  EXPECT_NEAR(table.Seconds({20, 100, 0, 0}), 21e-6, kTolerance);
  EXPECT_NEAR(table.Seconds({20, 100, 0, 700}), 21e-6, kTolerance);
  // Whatever context somebody wrote down for them, and however the clock went: the last one counts.
  AttentionTimesTable twice;
  Add(twice, 16, 0, 0, 1000, 15);
  const AttentionTimesTable once = Bilinear();
  for (size_t i = 0; i < once.size(); ++i) {
    Add(twice, once.prefill_chunk[i], once.kv_prefill[i], once.n_decode[i], once.kv_decode[i],
        once.microseconds[i]);
  }
  EXPECT_NEAR(AttentionTable(twice).Seconds({16, 0, 0, 1000}), 16e-6, kTolerance);
}

TEST(AttentionTableTest, BeyondTheEdgesTheEdgeAnswers) {
  const AttentionTable table(Bilinear());
  EXPECT_NEAR(table.Seconds({0, 0, 99, 5000}), 160e-6, kTolerance);
  EXPECT_NEAR(table.Seconds({3, 0, 0, 0}), 16e-6, kTolerance);
  EXPECT_NEAR(table.Seconds({99, 5000, 99, 5000}), 114e-6, kTolerance);
  const AttentionPoint edge = table.Clamp({99, 5000, 99, 5000});
  EXPECT_EQ(edge.chunk, 24);
  EXPECT_EQ(edge.history, 1000);
  EXPECT_EQ(edge.decodes, 8);
  EXPECT_EQ(edge.context, 1000);
  EXPECT_EQ(table.Clamp({0, 0, 3, 60}).context, 60);
}

TEST(AttentionTableTest, LargeBatchesAtLongContextsGoOnLinearly) {
  AttentionTimesTable measured = Bilinear();
  // Without the row of 16 decodes over 1,000 tokens.
  for (size_t i = 0; i < measured.size(); ++i) {
    if (measured.n_decode[i] != 16 || measured.kv_decode[i] != 1000) continue;
    for (auto* column :
         {&measured.prefill_chunk, &measured.kv_prefill, &measured.n_decode, &measured.kv_decode}) {
      column->erase(column->begin() + static_cast<std::ptrdiff_t>(i));
    }
    measured.microseconds.erase(measured.microseconds.begin() + static_cast<std::ptrdiff_t>(i));
    break;
  }
  EXPECT_NEAR(AttentionTable(measured).Seconds({0, 0, 16, 1000}), 160e-6, 1e-10);
}

// Where more was not measured, it is not taken for faster, though the last piece descends.
TEST(AttentionTableTest, WhatWasNotMeasuredNeverDescends) {
  AttentionTimesTable measured;
  for (const int32_t k : {100, 200, 300}) Add(measured, 0, 0, 1, k, 10);
  Add(measured, 0, 0, 8, 100, 50);
  Add(measured, 0, 0, 8, 200, 40);  // and none at 300
  Add(measured, 16, 0, 0, 0, 5);
  const AttentionTable table(measured);
  EXPECT_NEAR(table.Seconds({0, 0, 8, 300}), 40e-6, kTolerance);
  EXPECT_NEAR(table.Seconds({0, 0, 8, 250}), 40e-6, kTolerance);
}

// A chunk between two measured ones has the ranges of both.
TEST(AttentionTableTest, ClampsToTheChunksOnBothSides) {
  AttentionTimesTable measured;
  Add(measured, 0, 0, 1, 100, 10);
  for (const int32_t h : {0, 1000}) Add(measured, 16, h, 0, 0, 10);
  for (const int32_t h : {0, 400}) Add(measured, 24, h, 0, 0, 10);
  const AttentionTable table(measured);
  EXPECT_EQ(table.Clamp({20, 700, 0, 0}).history, 400);
  EXPECT_EQ(table.Clamp({24, 700, 0, 0}).history, 400);
  EXPECT_EQ(table.Clamp({10, 300, 0, 0}).history, 300);
  EXPECT_EQ(table.Clamp({10, 300, 0, 0}).chunk, 16);
}

TEST(AttentionTableTest, NeedsDecodesAndChunks) {
  AttentionTimesTable table;
  Add(table, 16, 0, 0, 0, 1);
  EXPECT_THROW(AttentionTable{table}, InvariantError);
}

}  // namespace
}  // namespace tokensim
