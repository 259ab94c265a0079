#include "engine/run/request_table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace tokensim {
namespace {

// Every field differs from its default and from the other fields.
RequestRecord Full(int64_t id) {
  return {.request_id = id,
          .arrival = id + 1,
          .queued = id + 2,
          .scheduled = id + 3,
          .first_token = id + 4,
          .finish = id + 5,
          .max_itl = id + 6,
          .input_tokens = 7,
          .output_tokens = 8,
          .cached_tokens = 9,
          .worker = 10,
          .preemptions = 11,
          .reject_reason = RejectReason::kNoWorker,
          .client_class = 12,
          .turn = 13,
          .prefill_worker = 14,
          .conversation = 15,
          .kv_transfer = 16,
          .decode_queueing = 17};
}

TEST(RequestTableTest, GivesBackWhatWasAdded) {
  const RequestTable table = {Full(0), RequestRecord{}, Full(2)};
  ASSERT_EQ(table.size(), 3u);
  EXPECT_EQ(table[0], Full(0));
  EXPECT_EQ(table[1], RequestRecord{});
  EXPECT_EQ(table[2], Full(2));
}

// Rows with and without the rare figures, over many chunks.
TEST(RequestTableTest, RareFiguresKeepTheirRow) {
  std::vector<RequestRecord> rows;
  for (int64_t id = 0; id < 50'000; ++id) {
    const bool rare = id % 9'973 == 0 || (id > 30'000 && id % 3 == 0);
    rows.push_back(rare ? Full(id) : RequestRecord{.request_id = id, .input_tokens = 5});
  }
  const RequestTable table(rows);
  EXPECT_EQ(table.Rows(), rows);
  size_t i = 0;
  for (const RequestRecord& row : table) ASSERT_EQ(row, rows[i++]);
  EXPECT_EQ(i, rows.size());
}

TEST(RequestTableTest, FiguresAreThoseOfTheRow) {
  const RequestTable table = {RequestRecord{}, Full(100)};
  EXPECT_TRUE(table.row(0).finished());
  EXPECT_FALSE(table.row(1).finished());
  EXPECT_EQ(table.row(1).request_id(), 100);
  EXPECT_EQ(table.row(1).arrival(), 101);
  EXPECT_EQ(table.row(1).scheduled(), 103);
  EXPECT_EQ(table.row(1).first_token(), 104);
  EXPECT_EQ(table.row(1).finish(), 105);
  EXPECT_EQ(table.row(1).max_itl(), 106);
  EXPECT_EQ(table.row(1).input_tokens(), 7);
  EXPECT_EQ(table.row(1).output_tokens(), 8);
  EXPECT_EQ(table.row(1).cached_tokens(), 9);
  EXPECT_EQ(table.row(1).preemptions(), 11);
  EXPECT_EQ(table.row(1).client_class(), 12);
  EXPECT_EQ(table.row(1).kv_transfer(), 16);
  EXPECT_EQ(table.row(1).decode_queueing(), 17);
}

TEST(RequestTableTest, ACopyMayGrowOnItsOwn) {
  RequestTable table = {Full(0)};
  RequestTable copy = table;
  copy.Add(Full(1));
  table.Add(Full(2));
  EXPECT_EQ(table[1], Full(2));
  EXPECT_EQ(copy[1], Full(1));
}

}  // namespace
}  // namespace tokensim
