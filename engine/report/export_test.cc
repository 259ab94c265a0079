#include "engine/report/export.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

namespace tokensim {
namespace {

// In order of completion: 2 before 1, and a rejected one.
std::vector<RequestRecord> Records() {
  RequestRecord one_token;
  one_token.request_id = 2;
  one_token.arrival = 2'000'000'001;
  one_token.queued = 2'000'000'001;
  one_token.scheduled = 2'500'000'000;
  one_token.first_token = 3'000'000'000;
  one_token.finish = 3'000'000'000;
  one_token.input_tokens = 7;
  one_token.output_tokens = 1;
  one_token.worker = 0;
  one_token.prefill_worker = 0;
  RequestRecord usual;
  usual.request_id = 0;
  usual.arrival = 0;
  usual.queued = 0;
  usual.scheduled = 0;
  usual.first_token = 1'000'000'000;
  usual.finish = 123'456'789'012;
  usual.max_itl = 999;
  usual.input_tokens = 100;
  usual.output_tokens = 4;
  usual.cached_tokens = 32;
  usual.preemptions = 3;
  usual.worker = 1;
  usual.prefill_worker = 1;
  RequestRecord rejected;
  rejected.request_id = 1;
  rejected.arrival = 1'500'000'000;
  rejected.finish = 1'500'000'000;
  rejected.input_tokens = 5000;
  rejected.output_tokens = 20;
  rejected.worker = 1;
  rejected.reject_reason = RejectReason::kMaxModelLen;
  return {one_token, rejected, usual};
}

TEST(Export, CsvGolden) {
  std::ostringstream out;
  WriteRequestsCsv(Records(), {}, out);
  EXPECT_EQ(out.str(),
            "request_id,arrival_s,queued_s,scheduled_s,first_token_s,finish_s,input_tokens,"
            "output_tokens,cached_tokens,preemptions,worker,ttft_s,tpot_s,e2e_s,max_itl_s,"
            "reject_reason,class,conversation,turn,prefill_worker,kv_transfer_s,"
            "decode_queueing_s\n"
            "0,0.000000000,0.000000000,0.000000000,1.000000000,123.456789012,100,4,32,3,1,"
            "1.000000000,40.818929671,123.456789012,0.000000999,,,,,1,,\n"
            "1,1.500000000,,,,1.500000000,5000,20,0,0,1,,,,,max_model_len,,,,,,\n"
            "2,2.000000001,2.000000001,2.500000000,3.000000000,3.000000000,7,1,0,0,0,"
            "0.999999999,,0.999999999,,,,,,0,,\n");
}

TEST(Export, JsonlGolden) {
  std::ostringstream out;
  WriteRequestsJsonl(Records(), {}, out);
  EXPECT_EQ(
      out.str(),
      "{\"request_id\":0,\"arrival_s\":0.000000000,\"queued_s\":0.000000000,\"scheduled_s\":"
      "0.000000000,\"first_token_s\":1.000000000,\"finish_s\":123.456789012,\"input_tokens\":100,"
      "\"output_tokens\":4,\"cached_tokens\":32,\"preemptions\":3,\"worker\":1,\"ttft_s\":"
      "1.000000000,\"tpot_s\":40.818929671,\"e2e_s\":123.456789012,\"max_itl_s\":0.000000999,"
      "\"reject_reason\":null,\"class\":null,\"conversation\":null,\"turn\":null,"
      "\"prefill_worker\":1,\"kv_transfer_s\":null,\"decode_queueing_s\":null}\n"
      "{\"request_id\":1,\"arrival_s\":1.500000000,\"queued_s\":null,\"scheduled_s\":null,"
      "\"first_token_s\":null,\"finish_s\":1.500000000,\"input_tokens\":5000,\"output_tokens\":20,"
      "\"cached_tokens\":0,\"preemptions\":0,\"worker\":1,\"ttft_s\":null,\"tpot_s\":null,"
      "\"e2e_s\":null,\"max_itl_s\":null,\"reject_reason\":\"max_model_len\",\"class\":null,"
      "\"conversation\":null,\"turn\":null,\"prefill_worker\":null,\"kv_transfer_s\":null,\"decode_"
      "queueing_s\":null}\n"
      "{\"request_id\":2,\"arrival_s\":2.000000001,\"queued_s\":2.000000001,\"scheduled_s\":"
      "2.500000000,\"first_token_s\":3.000000000,\"finish_s\":3.000000000,\"input_tokens\":7,"
      "\"output_tokens\":1,\"cached_tokens\":0,\"preemptions\":0,\"worker\":0,\"ttft_s\":"
      "0.999999999,\"tpot_s\":null,\"e2e_s\":0.999999999,\"max_itl_s\":null,"
      "\"reject_reason\":null,\"class\":null,\"conversation\":null,\"turn\":null,"
      "\"prefill_worker\":0,\"kv_transfer_s\":null,\"decode_queueing_s\":null}\n");
}

TEST(Export, TpotIsRoundedToTheNearestNanosecond) {
  RequestRecord r = Records()[2];
  r.first_token = 0;
  r.output_tokens = 4;
  const auto tpot = [&r](SimTime finish) {
    r.finish = finish;
    std::ostringstream out;
    WriteRequestsCsv({r}, {}, out);
    const std::string row = out.str().substr(out.str().find('\n') + 1);
    size_t start = 0;
    for (int column = 0; column < 12; ++column) start = row.find(',', start) + 1;
    return row.substr(start, row.find(',', start) - start);
  };
  EXPECT_EQ(tpot(10), "0.000000003");  // 10/3
  EXPECT_EQ(tpot(11), "0.000000004");  // 11/3
  EXPECT_EQ(tpot(3 * kNanosPerSecond), "1.000000000");
}

// The cells from `class` on.
std::string LastCells(const RequestRecord& r, const std::vector<std::string>& classes) {
  std::ostringstream out;
  WriteRequestsCsv({r}, classes, out);
  const std::string row = out.str().substr(out.str().find('\n') + 1);
  size_t start = 0;
  for (int column = 0; column < 16; ++column) start = row.find(',', start) + 1;
  return row.substr(start);
}

TEST(Export, ClassesConversationsAndTransfers) {
  RequestRecord r = Records()[2];
  EXPECT_EQ(LastCells(r, {}), ",,,1,,\n");
  EXPECT_EQ(LastCells(r, {"chat", "batch"}), "chat,,,1,,\n");
  r.client_class = 1;
  EXPECT_EQ(LastCells(r, {}), ",,,1,,\n");
  EXPECT_EQ(LastCells(r, {"chat", "batch"}), "batch,,,1,,\n");
  EXPECT_EQ(LastCells(r, {"chat"}), "1,,,1,,\n");
  r.conversation = 0;
  r.turn = 3;
  r.prefill_worker = 4;
  r.kv_transfer = 1'500'000;
  r.decode_queueing = 2'500'000;
  EXPECT_EQ(LastCells(r, {}), ",0,3,4,0.001500000,0.002500000\n");
}

TEST(Export, ClassNamesAreQuotedAsTheFormatAsks) {
  const RequestRecord r = Records()[2];
  EXPECT_EQ(LastCells(r, {"a,b \"c\""}), "\"a,b \"\"c\"\"\",,,1,,\n");
  std::ostringstream out;
  const std::vector<std::string> classes = {"a\\b \"c\"\x1f\t"};
  WriteRequestsJsonl({r}, classes, out);
  EXPECT_NE(out.str().find("\"class\":\"a\\\\b \\\"c\\\"\\u001f\\u0009\","), std::string::npos)
      << out.str();
}

TEST(Export, NoRecordsGiveOnlyTheHeader) {
  std::ostringstream csv;
  WriteRequestsCsv({}, {}, csv);
  EXPECT_EQ(csv.str().find('\n'), csv.str().size() - 1);
  std::ostringstream jsonl;
  WriteRequestsJsonl({}, {}, jsonl);
  EXPECT_EQ(jsonl.str(), "");
}

// More rows than one buffer holds, completed in reverse order.
TEST(Export, ManyRowsComeSortedAndWhole) {
  std::vector<RequestRecord> records;
  for (int64_t id = 4999; id >= 0; --id) {
    RequestRecord r = Records()[2];
    r.request_id = id;
    records.push_back(r);
  }
  std::ostringstream out;
  WriteRequestsCsv(records, {}, out);
  std::istringstream lines(out.str());
  std::string line;
  std::getline(lines, line);
  int64_t id = 0;
  for (; std::getline(lines, line); ++id) {
    ASSERT_EQ(line.substr(0, line.find(',')), std::to_string(id));
    ASSERT_EQ(std::count(line.begin(), line.end(), ','), 21);
  }
  EXPECT_EQ(id, 5000);
}

TEST(Export, RejectReasonNames) {
  EXPECT_STREQ(RejectReasonName(RejectReason::kNone), "");
  EXPECT_STREQ(RejectReasonName(RejectReason::kMaxModelLen), "max_model_len");
  EXPECT_STREQ(RejectReasonName(RejectReason::kKvCapacity), "kv_capacity");
  EXPECT_STREQ(RejectReasonName(RejectReason::kNoWorker), "no_worker");
}

}  // namespace
}  // namespace tokensim
