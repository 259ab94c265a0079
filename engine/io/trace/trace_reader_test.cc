#include "engine/io/trace/trace_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "engine/base/rng.h"

namespace tokensim {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr SimTime kMs = 1'000'000;

absl::StatusOr<TraceTable> Parse(std::string_view contents, const TraceFormat* format = nullptr,
                                 TraceSlice slice = {}) {
  return ParseTrace(contents, "t", format, slice);
}

TraceTable MustParse(std::string_view contents, const TraceFormat* format = nullptr,
                     TraceSlice slice = {}) {
  auto table = Parse(contents, format, slice);
  EXPECT_TRUE(table.ok()) << table.status().ToString();
  return table.ok() ? *std::move(table) : TraceTable();
}

TEST(TraceReader, Azure) {
  const auto table = MustParse(
      "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
      "2023-11-16 23:59:59.9799600,4808,10\r\n"
      "2023-11-17 00:00:00.0319601,3180,8");
  EXPECT_THAT(table.arrival, ElementsAre(0, 52'000'100));
  EXPECT_THAT(table.input_tokens, ElementsAre(4808, 3180));
  EXPECT_THAT(table.output_tokens, ElementsAre(10, 8));
}

TEST(TraceReader, AzureDatesWithZones) {
  const auto table = MustParse(
      "TIMESTAMP,ContextTokens,GeneratedTokens\n"
      "2024-02-28 23:30:00.5+00:00,1,1\n"
      "2024-02-29T01:00:01Z,1,1\n"
      "2024-02-29 02:30:02+01:00,1,1\n"
      "2024-02-29 08:00:03+05:30,1,1\n");
  EXPECT_THAT(table.arrival, ElementsAre(0, 5'400'500 * kMs, 7'201'500 * kMs, 10'802'500 * kMs));
}

TEST(TraceReader, BurstGptBothLayouts) {
  const auto first = MustParse(
      "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
      "5,ChatGPT,472,18,490,Conversation log\n"
      "45,ChatGPT,1087,0,1087,Conversation log\n"
      "118.25,GPT-4,417,276,693,\"API log, v2\"\n");
  EXPECT_THAT(first.arrival, ElementsAre(0, 113'250 * kMs));
  EXPECT_THAT(first.input_tokens, ElementsAre(472, 417));
  EXPECT_THAT(first.output_tokens, ElementsAre(18, 276));
  const auto second = MustParse(
      "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,"
      "Log Type\n"
      "0.5,,2.1,GPT-4,10,0,10,API log\n"
      "1.5,7,1.9,GPT-4,20,30,50,API log\n");
  EXPECT_THAT(second.arrival, ElementsAre(0));
  EXPECT_THAT(second.input_tokens, ElementsAre(20));
}

TEST(TraceReader, Mooncake) {
  const auto table = MustParse(
      "{\"timestamp\": 100, \"input_length\": 6758, \"output_length\": 500, \"hash_ids\": [0, 1]}\n"
      "{\"timestamp\": 100.5, \"input_length\": 7, \"output_length\": 1, "
      "\"hash_ids\": [0], \"other\": [99999999999999999999, {\"timestamp\": 3}]}\n");
  EXPECT_THAT(table.arrival, ElementsAre(0, kMs / 2));
  EXPECT_THAT(table.input_tokens, ElementsAre(6758, 7));
  EXPECT_THAT(table.output_tokens, ElementsAre(500, 1));
  EXPECT_THAT(table.hash_ids, ElementsAre(0, 1, 0));
  EXPECT_THAT(table.hash_begin, ElementsAre(0, 2, 3));
  EXPECT_EQ(table.hash_block_tokens, 512);
  EXPECT_THAT(table.conversation, IsEmpty());
}

TEST(TraceReader, HashIdsAreOptional) {
  const std::string row = "{\"timestamp\": 1, \"input_length\": 900, \"output_length\": 1";
  const auto none = MustParse(row + "}\n" + row + ", \"hash_ids\": []}\n");
  EXPECT_THAT(none.hash_begin, IsEmpty());
  EXPECT_EQ(none.hash_block_tokens, 0);
  const auto some =
      MustParse(row + "}\n" + row + ", \"hash_ids\": [7, -8]}\n" + row + ", \"hash_ids\": null}\n");
  EXPECT_THAT(some.hash_ids, ElementsAre(7, -8));
  EXPECT_THAT(some.hash_begin, ElementsAre(0, 0, 2, 2));
  const auto sliced =
      MustParse(row + ", \"hash_ids\": [1]}\n" + row + ", \"hash_ids\": [2]}\n", nullptr, {1, 1});
  EXPECT_THAT(sliced.hash_ids, ElementsAre(2));
  EXPECT_THAT(sliced.hash_begin, ElementsAre(0, 1));
}

TEST(TraceReader, ConversationsAreNumberedInOrderOfAppearance) {
  const auto csv =
      MustParse("input_tokens,output_tokens,session\n1,1,zoe\n2,2,\n3,3,adam\n4,4, zoe \n");
  EXPECT_THAT(csv.conversation, ElementsAre(0, -1, 1, 0));
  const std::string row = "{\"input_tokens\": 4, \"output_tokens\": 5";
  const auto jsonl =
      MustParse(row + ", \"conversation\": 12}\n" + row + ", \"conversation\": null}\n" + row +
                "}\n" + row + ", \"conversation\": \"12\"}\n");
  EXPECT_THAT(jsonl.conversation, ElementsAre(0, -1, -1, 0));
  EXPECT_THAT(MustParse("input_tokens,output_tokens,conversation\n1,1,\n").conversation, IsEmpty());
}

TEST(TraceReader, Csv) {
  const auto table = MustParse(
      "\xEF\xBB\xBFoutput_tokens, \"input_tokens\" ,note,arrival_s\n"
      "1,2,\"a \"\"b\"\", c\",0.25\n"
      " 3 ,\"4\",,1e0\n"
      "\n \r\n");
  EXPECT_THAT(table.arrival, ElementsAre(0, 750 * kMs));
  EXPECT_THAT(table.input_tokens, ElementsAre(2, 4));
  EXPECT_THAT(table.output_tokens, ElementsAre(1, 3));
  EXPECT_THAT(MustParse("input_tokens,output_tokens\n1,2").arrival, IsEmpty());
}

TEST(TraceReader, Jsonl) {
  const auto table = MustParse(
      "{\"arrival_s\": 1, \"input_tokens\": 2, \"output_tokens\": 3}\r\n"
      "{\"arrival_s\": 1.5, \"input_tokens\": 4, \"output_tokens\": 5, \"user\": null}\r\n");
  EXPECT_THAT(table.arrival, ElementsAre(0, 500 * kMs));
  EXPECT_THAT(table.output_tokens, ElementsAre(3, 5));
  EXPECT_THAT(MustParse("{\"input_tokens\": 4, \"output_tokens\": 5}").arrival, IsEmpty());
}

TEST(TraceReader, LengthsCsv) {
  const auto table = MustParse(
      "num_prefill_tokens,num_decode_tokens,num_total_tokens,pd_ratio\n3742,284,4026,0.07\n");
  EXPECT_THAT(table.arrival, IsEmpty());
  EXPECT_THAT(table.input_tokens, ElementsAre(3742));
}

TEST(TraceReader, EpochTimestampsKeepTheirNanoseconds) {
  const auto table =
      MustParse("arrival_s,input_tokens,output_tokens\n1700000000,1,1\n1700000001,1,1\n");
  EXPECT_THAT(table.arrival, ElementsAre(0, 1000 * kMs));
}

TEST(TraceReader, FractionsAreRoundedToTheNanosecond) {
  // As doubles, 8.2 s and 1.001 s are a little less than so many nanoseconds, 16.1 s is more.
  const auto table =
      MustParse("arrival_s,input_tokens,output_tokens\n0,1,1\n1.001,1,1\n8.2,1,1\n16.1,1,1\n");
  EXPECT_THAT(table.arrival, ElementsAre(0, 1001 * kMs, 8200 * kMs, 16'100 * kMs));
}

TEST(TraceReader, SliceKeepsRowsAndRestartsTime) {
  const std::string_view csv = "arrival_s,input_tokens,output_tokens\n1,1,1\n2,2,2\n4,3,3\n8,4,4\n";
  const auto table = MustParse(csv, FindTraceFormat("csv"), {1, 2});
  EXPECT_THAT(table.arrival, ElementsAre(0, 2000 * kMs));
  EXPECT_THAT(table.input_tokens, ElementsAre(2, 3));
  EXPECT_THAT(Parse(csv, FindTraceFormat("csv"), {4, 2}).status().message(),
              HasSubstr("t: no requests: 4 rows read, offset 4"));
  EXPECT_FALSE(Parse(csv, FindTraceFormat("csv"), {-1, 2}).ok());
  EXPECT_FALSE(Parse(csv, FindTraceFormat("csv"), {0, -2}).ok());
}

TEST(TraceReader, SliceCountsFailedRequests) {
  const std::string_view csv =
      "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
      "1,m,1,0,1,x\n2,m,2,2,2,x\n3,m,3,3,3,x\n";
  EXPECT_THAT(MustParse(csv, nullptr, {0, 2}).input_tokens, ElementsAre(2));
  EXPECT_THAT(MustParse(csv, nullptr, {1, 2}).input_tokens, ElementsAre(2, 3));
}

TEST(TraceReader, RowsAfterTheSliceAreNotRead) {
  EXPECT_EQ(
      MustParse("input_tokens,output_tokens\n1,1\nx,y\n", FindTraceFormat("csv"), {0, 1}).size(),
      1);
}

TEST(TraceReader, NamesRoundTrip) {
  EXPECT_EQ(TraceFormats().size(), 7u);
  for (const TraceFormat& format : TraceFormats()) {
    EXPECT_EQ(FindTraceFormat(format.name), &format);
    EXPECT_FALSE(format.description.empty());
    EXPECT_EQ(format.parse == nullptr, format.input_key[0] != '\0') << format.name;
  }
  EXPECT_EQ(FindTraceFormat("auto"), nullptr);
  EXPECT_EQ(FindTraceFormat("azure"), nullptr);
}

// ---- Errors

struct BadTrace {
  std::string contents;
  std::string message;
  const TraceFormat* format = nullptr;
};

std::string Csv(std::string_view rows) {
  return absl::StrCat("arrival_s,input_tokens,output_tokens\n", std::string(rows));
}
std::string Azure(std::string_view date) {
  return absl::StrCat("TIMESTAMP,ContextTokens,GeneratedTokens\n", std::string(date), ",1,1\n");
}

std::vector<BadTrace> BadFiles() {
  return {
      {"", "t:1: empty file"},
      {"\xEF\xBB\xBF\r\n\n", "t:1: empty file"},
      {"\nfoo", "t:1: blank line"},
      {"a,b,c\n1,2,3\n",
       "t:1: unknown format: the first line is neither a known CSV header nor a JSON object: "
       "\"a,b,c\""},
      {"{\"a\": 1}\n",
       "t:1: unknown format: no key input_length (mooncake_jsonl) or input_tokens (jsonl)"},
      {"{\"a\": ", "t:1: not valid JSON at byte 6"},
      {"\"abc\n", "t:1: a quoted field has no end"},
      {"arrival_s,input_tokens\n",
       "t:1: no column output_tokens in the header "
       "\"arrival_s,input_tokens\""},
      {"input_tokens,output_tokens,input_tokens\n", "t:1: column input_tokens appears twice"},
      {"input_tokens,output_tokens,session,conversation\n",
       "t:1: columns conversation and session mean the same; give one"},
      {"ContextTokens,GeneratedTokens\n1,1\n",
       "t:1: no column TIMESTAMP in the header \"ContextTokens,GeneratedTokens\""},
      {"arrival_s,input_tokens,output_tokens\n", "t: no requests: 0 rows read, offset 0"},
      {Csv("1,1,1\n"),
       "t:1: no column TIMESTAMP in the header "
       "\"arrival_s,input_tokens,output_tokens\"",
       FindTraceFormat("azure_csv")},
      {Csv("1,1,1\n"), "t:1: not valid JSON at byte 1", FindTraceFormat("jsonl")},
  };
}

std::vector<BadTrace> BadCsvRows() {
  return {
      {Csv("1,1,1\n\n1,1,1\n"), "t:3: blank line"},
      {Csv("1,1\n"), "t:2: 2 fields where the header has 3"},
      {Csv("1,1,1,1\n"), "t:2: 4 fields where the header has 3"},
      {Csv("1,x,1\n"), "t:2: input_tokens is not a number: \"x\""},
      {Csv("1,,1\n"), "t:2: input_tokens is not a number: \"\""},
      {Csv("1,12 3,1\n"), "t:2: input_tokens is not a number: \"12 3\""},
      {Csv("1,1.5,1\n"), "t:2: input_tokens is not an integer: 1.5"},
      {Csv("1,0,1\n"), "t:2: input_tokens must be 1 .. 2147483647, not 0"},
      {Csv("1,1,0\n"), "t:2: output_tokens must be 1 .. 2147483647, not 0"},
      {Csv("1,-3,1\n"), "t:2: input_tokens must be 1 .. 2147483647, not -3"},
      {Csv("1,1,2147483648\n"), "t:2: output_tokens must be 1 .. 2147483647, not 2147483648"},
      {Csv("1,1,1e30\n"), "t:2: output_tokens must be 1 .. 2147483647, not 1e+30"},
      {Csv("1,1,1e999\n"), "t:2: output_tokens is out of range: \"1e999\""},
      {Csv("nan,1,1\n"), "t:2: arrival_s is out of range: \"nan\""},
      {Csv("inf,1,1\n"), "t:2: arrival_s is out of range: \"inf\""},
      {Csv("-0.5,1,1\n"), "t:2: arrival_s is negative: -0.5"},
      {Csv("9300000000,1,1\n"), "t:2: arrival_s is more than 292 years: 9300000000"},
      {Csv("2,1,1\n3,1,1\n2.5,1,1\n"), "t:4: arrival_s is earlier than in the row before"},
      {Csv("1,1,\"1\n"), "t:2: a quoted field has no end"},
      {Csv("1,\"1\"2,1\n"), "t:2: text after a quoted field"},
      {Csv("\xff\x01,1,1\n"), "t:2: arrival_s is not a number: \"\\xff\\x01\""},
      {Csv(std::string("1,1,1\0\n", 7)), "t:2: NUL byte: not a text file"},
      {Csv(std::string(100, 'z') + ",1,1\n"),
       absl::StrCat("t:2: arrival_s is not a number: \"", std::string(40, 'z'), "\"...")},
      {"Timestamp,Model,Request tokens,Response tokens\n1,m,0,5\n",
       "t:2: Request tokens must be 1 .. 2147483647, not 0"},
      {"Timestamp,Model,Request tokens,Response tokens\n1,m,5,-1\n",
       "t:2: Response tokens must be 0 .. 2147483647, not -1"},
      {"Timestamp,Model,Request tokens,Response tokens\n2,m,5,0\n1,m,5,5\n",
       "t:3: Timestamp is earlier than in the row before"},
  };
}

std::vector<BadTrace> BadDates() {
  const std::string reason = "t:2: TIMESTAMP is not a date such as 2023-11-16 18:15:46.6805900: ";
  std::vector<BadTrace> bad;
  for (const char* date :
       {"2023-02-29 00:00:00", "2023-13-01 00:00:00", "2023-11-16", "2023-11-16 24:00:00",
        "2023-11-16 10:60:00", "2023-11-16 10:00:60", "2023-11-16 10:00:00.",
        "2023-11-16 10:00:00.1234567890", "2023-11-16 10:00:00+1", "1970-12-31 00:00:00",
        "2262-01-01 00:00:00", "23-11-16 10:00:00", "2023/11/16 10:00:00", "5.5"}) {
    bad.push_back({Azure(date), absl::StrCat(reason, "\"", date, "\"")});
  }
  return bad;
}

std::vector<BadTrace> BadJsonRows() {
  const std::string good = "{\"timestamp\": 5, \"input_length\": 1, \"output_length\": 1}\n";
  const TraceFormat* mooncake = FindTraceFormat("mooncake_jsonl");
  return {
      {good + "{\"timestamp\": 5, \"input_length\": 1, \"out", "t:2: not valid JSON at byte 41"},
      {good + "{} {}\n", "t:2: not valid JSON at byte 4"},
      {good + "[1]\n", "t:2: the row is not a JSON object"},
      {good + "7\n", "t:2: the row is not a JSON object"},
      {good + "null\n", "t:2: the row is not a JSON object"},
      {good + "\n" + good, "t:2: blank line"},
      {good + "{\"input_length\": 1, \"output_length\": 1}\n", "t:2: no key timestamp"},
      {good + "{\"timestamp\": 5, \"output_length\": 1}\n", "t:2: no key input_length"},
      {good + "{\"timestamp\": 5, \"input_length\": 1}\n", "t:2: no key output_length"},
      {good + "{\"timestamp\": 4, \"input_length\": 1, \"output_length\": 1}\n",
       "t:2: timestamp is earlier than in the row before"},
      {"{\"timestamp\": -1, \"input_length\": 1, \"output_length\": 1}\n",
       "t:1: timestamp is negative: -1"},
      {"{\"timestamp\": 1e999, \"input_length\": 1, \"output_length\": 1}\n",
       "t:1: a number is out of range"},
      {"{\"timestamp\": 1e15, \"input_length\": 1, \"output_length\": 1}\n",
       "t:1: timestamp is more than 292 years: 1e+15"},
      {"{\"timestamp\": \"5\", \"input_length\": 1, \"output_length\": 1}\n",
       "t:1: timestamp is not a number but a string", mooncake},
      {"{\"timestamp\": 5, \"input_length\": [1], \"output_length\": 1}\n",
       "t:1: input_length is not a number but a list", mooncake},
      {"{\"timestamp\": 5, \"input_length\": {}, \"output_length\": 1}\n",
       "t:1: input_length is not a number but an object", mooncake},
      {"{\"timestamp\": 5, \"input_length\": true, \"output_length\": 1}\n",
       "t:1: input_length is not a number but a boolean", mooncake},
      {"{\"timestamp\": 5, \"input_length\": null, \"output_length\": 1}\n",
       "t:1: input_length is not a number but null", mooncake},
      {"{\"timestamp\": 5, \"input_length\": 1.0, \"output_length\": 1}\n",
       "t:1: input_length is not an integer: 1", mooncake},
      {"{\"timestamp\": 5, \"input_length\": 1, \"output_length\": 0}\n",
       "t:1: output_length must be 1 .. 2147483647, not 0"},
      {"{\"timestamp\": 5, \"timestamp\": 6, \"input_length\": 1, \"output_length\": 1}\n",
       "t:1: timestamp appears twice", mooncake},
      {"{\"timestamp\": 5, \"input_length\": 1, \"output_length\": 1, \"hash_ids\": [1, 2]}\n",
       "t:1: hash_ids has 2 entries; input_length 1 has 1 blocks of 512 tokens"},
      {"{\"timestamp\": 5, \"input_length\": 1, \"output_length\": 1, \"hash_ids\": [1.5]}\n",
       "t:1: hash_ids is not a list of integers: it has a number that is no integer below 2^63"},
      {"{\"timestamp\": 5, \"input_length\": 1, \"output_length\": 1, \"hash_ids\": [[1]]}\n",
       "t:1: hash_ids is not a list of integers: it has a list"},
      {"{\"timestamp\": 5, \"input_length\": 1, \"output_length\": 1, \"hash_ids\": 3}\n",
       "t:1: hash_ids is not a list of integers: it has no brackets"},
      {"{\"input_tokens\": 1, \"output_tokens\": 1, \"session\": 1.5}\n",
       "t:1: session is not a string or an integer but a fraction or too large"},
      {"{\"input_tokens\": 1, \"output_tokens\": 1, \"session\": [1]}\n",
       "t:1: session is not a string or an integer but a list"},
      {"{\"input_tokens\": 1, \"output_tokens\": 1, \"session\": 1, \"conversation\": 1}\n",
       "t:1: conversation and session mean the same; give one"},
      {absl::StrCat("{\"hash_ids\": ", std::string(100'000, '['), "\n"), "t:1: nested too deeply"},
      {"{\"arrival_s\": 1, \"input_tokens\": 1, \"output_tokens\": 1}\n"
       "{\"input_tokens\": 1, \"output_tokens\": 1}\n",
       "t:2: arrival_s must be in every row or in none"},
  };
}

class BadTraceTest : public testing::TestWithParam<BadTrace> {};

TEST_P(BadTraceTest, SaysWhereAndWhy) {
  const auto table = Parse(GetParam().contents, GetParam().format);
  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(table.status().message()), GetParam().message);
}

std::string CaseName(const testing::TestParamInfo<BadTrace>& info) {
  return absl::StrCat(info.index);
}
INSTANTIATE_TEST_SUITE_P(Files, BadTraceTest, testing::ValuesIn(BadFiles()), CaseName);
INSTANTIATE_TEST_SUITE_P(CsvRows, BadTraceTest, testing::ValuesIn(BadCsvRows()), CaseName);
INSTANTIATE_TEST_SUITE_P(Dates, BadTraceTest, testing::ValuesIn(BadDates()), CaseName);
INSTANTIATE_TEST_SUITE_P(JsonRows, BadTraceTest, testing::ValuesIn(BadJsonRows()), CaseName);

// ---- Files

TEST(ReadTraceFile, ReadsAndNamesTheFile) {
  const std::string path =
      testing::TempDir() + "/trace_reader_test." + std::to_string(getpid()) + ".csv";
  std::ofstream(path) << "input_tokens,output_tokens\n1,2\n";
  const auto table = ReadTraceFile(path, nullptr, {});
  ASSERT_TRUE(table.ok()) << table.status().ToString();
  EXPECT_THAT(table->output_tokens, ElementsAre(2));
  std::ofstream(path) << "input_tokens,output_tokens\n1,x\n";
  EXPECT_THAT(std::string(ReadTraceFile(path, nullptr, {}).status().message()),
              StartsWith(path + ":2: output_tokens is not a number"));
  std::filesystem::remove(path);
}

TEST(ReadTraceFile, MissingFilesAndFoldersAreNotFound) {
  for (const std::string& path : {std::string("/nonexistent/trace.csv"), testing::TempDir()}) {
    const auto table = ReadTraceFile(path, nullptr, {});
    EXPECT_EQ(table.status().code(), absl::StatusCode::kNotFound) << path;
    EXPECT_THAT(std::string(table.status().message()), StartsWith(path));
  }
}

// ---- Property: any bytes give a table or an error, and a table keeps its promises

TEST(TraceReader, RandomTextNeverBreaksATable) {
  const std::vector<std::string> words = {"arrival_s",
                                          "input_tokens",
                                          "output_tokens",
                                          "TIMESTAMP",
                                          "ContextTokens",
                                          "\n",
                                          "\r\n",
                                          "GeneratedTokens",
                                          "{\"timestamp\":",
                                          "\"input_length\":",
                                          "\"output_length\":",
                                          ",",
                                          ":",
                                          "}",
                                          "{",
                                          "[",
                                          "\"",
                                          "1",
                                          "0",
                                          "-1",
                                          "1e400",
                                          "2023-11-16 18:15:46.68",
                                          "\xEF\xBB\xBF",
                                          std::string("\0", 1),
                                          "\xff",
                                          "9999999999",
                                          ".5",
                                          " "};
  const std::vector<std::string> starts = {
      "", "arrival_s,input_tokens,output_tokens\n", "TIMESTAMP,ContextTokens,GeneratedTokens\n",
      "{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 1}\n"};
  RngStream rng(1, "text");
  int parsed = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = starts[rng.Below(starts.size())];
    const uint64_t length = rng.Below(12);
    for (uint64_t i = 0; i < length; ++i) text += words[rng.Below(words.size())];
    const auto table = Parse(text);
    if (!table.ok()) {
      ASSERT_THAT(std::string(table.status().message()), StartsWith("t:"));
      continue;
    }
    ++parsed;
    ASSERT_GT(table->size(), 0);
    ASSERT_EQ(table->input_tokens.size(), table->output_tokens.size());
    ASSERT_TRUE(table->arrival.empty() || table->arrival.size() == table->input_tokens.size());
    for (int64_t i = 0; i < table->size(); ++i) {
      ASSERT_GE(table->input_tokens[static_cast<size_t>(i)], 1);
      ASSERT_GE(table->output_tokens[static_cast<size_t>(i)], 1);
    }
  }
  EXPECT_GT(parsed, 100);
}

}  // namespace
}  // namespace tokensim
