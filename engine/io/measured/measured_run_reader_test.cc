#include "engine/io/measured/measured_run_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/io/measured/truth_reader.h"

namespace tokensim::accuracy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kHeader[] =
    "id,trace_arrival_s,arrival_s,queued_s,scheduled_s,first_token_s,last_token_s,input_toks,"
    "output_toks,prompt_block16_ids\n";

MeasuredRun Parse(const std::string& csv) {
  const auto run = ParseMeasuredRun(csv, "run.csv");
  EXPECT_TRUE(run.ok()) << run.status();
  return run.ok() ? *run : MeasuredRun{};
}

std::string ErrorOf(const std::string& csv) {
  const auto run = ParseMeasuredRun(csv, "run.csv");
  EXPECT_FALSE(run.ok()) << csv;
  return std::string(run.status().message());
}

TEST(MeasuredRun, TimesAreFromTheFirstArrival) {
  const MeasuredRun run = Parse(std::string(kHeader) +
                                "7,0.05,-0.001198,0.0,0.000046,0.169525,15.713402,33,531,5 6\n"
                                "8,0.35,0.25,0.251,0.252,0.3,0.3,16,1,5\n");
  ASSERT_EQ(run.requests.size(), 2u);
  const MeasuredRequest& first = run.requests[0];
  EXPECT_EQ(first.id, "7");
  EXPECT_EQ(first.arrival, 0);
  EXPECT_EQ(first.queued, 1'198'000);
  EXPECT_EQ(first.scheduled, 1'244'000);
  EXPECT_EQ(first.first_token, 170'723'000);
  EXPECT_EQ(first.last_token, 15'714'600'000);
  EXPECT_EQ(first.input_tokens, 33);
  EXPECT_EQ(first.output_tokens, 531);
  EXPECT_THAT(first.prompt_block_ids, ElementsAre(5, 6));
  EXPECT_EQ(run.requests[1].arrival, 251'198'000);
  EXPECT_TRUE(run.has_queued && run.has_scheduled && run.has_prompt_block_ids);
}

TEST(MeasuredRun, OneOfTheTokensWillDo) {
  const MeasuredRun ends = Parse("arrival_s,last_token_s,input_toks,output_toks\n1,2,10,5\n");
  EXPECT_TRUE(ends.has_last_token && !ends.has_first_token);
  EXPECT_EQ(ends.requests[0].last_token, 1'000'000'000);
  const MeasuredRun starts = Parse("arrival_s,first_token_s,input_toks,output_toks\n1,2,10,5\n");
  EXPECT_TRUE(starts.has_first_token && !starts.has_last_token);
  EXPECT_THAT(ErrorOf("arrival_s,input_toks,output_toks\n1,10,5\n"),
              HasSubstr("no column last_token_s or finish_s"));
}

// The client had no place for the second, which it sent when the first was done.
TEST(MeasuredRun, AClientWithPlacesSendsWhenItIntendedToOrCan) {
  const MeasuredRun run = Parse(
      "arrival_s,intended_s,first_token_s,last_token_s,input_toks,output_toks\n"
      "1.5,1,2,3,10,5\n3,2,4,5,10,5\n");
  EXPECT_TRUE(run.has_intended);
  const v1::Workload sent = ToWorkload(run);
  EXPECT_FALSE(sent.has_max_in_flight());
  EXPECT_THAT(sent.trace().rows().arrival_delta_ns(), ElementsAre(0, 1'500'000'000));
  const v1::Workload intended = ToWorkload(run, 1);
  EXPECT_EQ(intended.max_in_flight(), 1);
  EXPECT_THAT(intended.trace().rows().arrival_delta_ns(), ElementsAre(0, 500'000'000));
}

TEST(MeasuredRun, ColumnsInAnyOrderWithOtherNamesAndInAnyOrderOfRows) {
  const MeasuredRun run = Parse(
      "finish_s,extra,input_tokens,first_token_s,output_tokens,arrival_s\r\n"
      "9,x,10,5,4,3\r\n"
      "\r\n"
      "2.5,y,11,2,6,1\r\n");
  ASSERT_EQ(run.requests.size(), 2u);
  EXPECT_EQ(run.requests[0].id, "1");  // the row, counted from 0
  EXPECT_EQ(run.requests[0].input_tokens, 11);
  EXPECT_EQ(run.requests[0].last_token, 1'500'000'000);
  EXPECT_EQ(run.requests[1].arrival, 2'000'000'000);
  EXPECT_FALSE(run.has_queued || run.has_scheduled || run.has_prompt_block_ids);
}

TEST(MeasuredRun, StampsOneNanosecondBeforeTheStartAreStamps) {
  const MeasuredRun run = Parse(
      "arrival_s,queued_s,first_token_s,last_token_s,input_toks,output_toks\n"
      "-0.000000002,-0.000000001,0,1,1,1\n");
  EXPECT_EQ(run.requests[0].queued, 1);
  EXPECT_EQ(run.requests[0].scheduled, kUnset);
}

TEST(MeasuredRun, ErrorsNameFileLineAndColumn) {
  const std::string header = "arrival_s,first_token_s,last_token_s,input_toks,output_toks\n";
  EXPECT_THAT(ErrorOf(header + "0,1,2,3,4\n0,1,2,3\n"),
              HasSubstr("run.csv:3: 4 fields where the header has 5"));
  EXPECT_THAT(ErrorOf(header + "0,soon,2,3,4\n"), HasSubstr("run.csv:2: first_token_s"));
  EXPECT_THAT(ErrorOf(header + "0,1,2,0,4\n"), HasSubstr("run.csv:2: input_toks"));
  EXPECT_THAT(ErrorOf(header + "0,1,2,3,1.5\n"), HasSubstr("run.csv:2: output_toks"));
  EXPECT_THAT(ErrorOf(header + "0,1,0.5,3,4\n"),
              HasSubstr("last_token_s 0.5 is before first_token_s 1"));
  EXPECT_THAT(ErrorOf(header + "2,1,3,3,4\n"), HasSubstr("first_token_s 1 is before arrival_s 2"));
  EXPECT_THAT(ErrorOf(header + "0,1e12,1e12,3,4\n"), HasSubstr("first_token_s is 1e+12"));
  EXPECT_THAT(ErrorOf("arrival_s,input_toks,output_toks\n"),
              HasSubstr("run.csv:1: no column last_token_s or finish_s"));
  EXPECT_THAT(ErrorOf("arrival_s,arrival_s\n"), HasSubstr("column arrival_s appears twice"));
  EXPECT_THAT(ErrorOf(header), HasSubstr("run.csv: no rows below a header"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("no rows"));
}

TEST(MeasuredRun, ErrorsOfPromptBlocks) {
  const std::string header =
      "arrival_s,first_token_s,last_token_s,input_toks,output_toks,prompt_block16_ids\n";
  EXPECT_THAT(ErrorOf(header + "0,1,2,32,4,1 two\n"), HasSubstr("prompt_block16_ids has \"two\""));
  EXPECT_THAT(ErrorOf(header + "0,1,2,32,4,1 2 3\n"),
              HasSubstr("prompt_block16_ids has 3 ids; input_toks 32 are 2 blocks"));
  EXPECT_THAT(Parse(header + "0,1,2,33,4, 1  2 3\n").requests[0].prompt_block_ids,
              ElementsAre(1, 2, 3));
}

}  // namespace
}  // namespace tokensim::accuracy
