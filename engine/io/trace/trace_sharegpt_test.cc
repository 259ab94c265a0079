#include "engine/io/trace/trace_sharegpt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "engine/io/trace/trace_reader.h"

namespace tokensim {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TraceTable MustParse(std::string_view contents, TraceSlice slice = {},
                     const TraceFormat* format = nullptr) {
  auto table = ParseTrace(contents, "t", format, slice);
  EXPECT_TRUE(table.ok()) << table.status().ToString();
  return table.ok() ? *std::move(table) : TraceTable();
}

constexpr char kTwo[] = R"(
[{"id": "a", "conversations": [
    {"from": "system", "tokens": 5},
    {"from": "human", "tokens": 10, "value": "not counted"},
    {"from": "gpt", "tokens": 100},
    {"from": "gpt", "tokens": 1},
    {"from": "human", "tokens": 20},
    {"from": "gpt", "tokens": 200},
    {"from": "human", "tokens": 30}]},
 {"id": "b", "conversations": []},
 {"id": 7, "source": {"from": ["x"]}, "conversations": [
    {"from": "gpt", "tokens": 3},
    {"from": "user", "tokens": 4, "meta": {"tokens": "x"}},
    {"from": "assistant", "tokens": 0}]}]
)";

TEST(ShareGpt, AnswersEndTurns) {
  const auto table = MustParse(kTwo);
  EXPECT_THAT(table.arrival, IsEmpty());
  EXPECT_THAT(table.input_tokens, ElementsAre(5 + 10, 20, 3 + 4));
  EXPECT_THAT(table.output_tokens, ElementsAre(101, 200, 1)) << "at least a token a message";
  EXPECT_THAT(table.conversation, ElementsAre(0, 0, 1));
  EXPECT_THAT(MustParse(absl::StrCat("\xEF\xBB\xBF", kTwo), {}, FindTraceFormat("sharegpt_json"))
                  .output_tokens,
              ElementsAre(101, 200, 1));
}

TEST(ShareGpt, SlicesCountConversations) {
  EXPECT_THAT(MustParse(kTwo, {0, 1}).output_tokens, ElementsAre(101, 200));
  EXPECT_THAT(MustParse(kTwo, {1, 2}).output_tokens, ElementsAre(1));
  EXPECT_THAT(MustParse(kTwo, {2, 5}).conversation, ElementsAre(0));
  // What comes after the slice is not read.
  const std::string broken =
      std::string(kTwo).substr(0, std::string(kTwo).find("{\"id\": \"b\"")) + "oops";
  EXPECT_EQ(MustParse(broken, {0, 1}).size(), 2);
}

TEST(ShareGpt, TextIsEstimated) {
  const auto table = MustParse(
      R"([{"conversations": [{"from": "human", "value": "What is a KV cache?"},
                             {"from": "gpt", "value": ""}]}])");
  EXPECT_THAT(table.input_tokens, ElementsAre(EstimateTokens("What is a KV cache?")));
  EXPECT_THAT(table.output_tokens, ElementsAre(1));
}

TEST(ShareGpt, TheEstimateIsTheMeanOfTwoRules) {
  EXPECT_EQ(EstimateTokens(""), 0);
  EXPECT_EQ(EstimateTokens("a"), 1);
  // 19 characters / 4 = 4.75; 5 words x 4/3 = 6.67: mean 5.71.
  EXPECT_EQ(EstimateTokens("What is a KV cache?"), 6);
  EXPECT_EQ(EstimateTokens(" \t\n\r    "), 1);
  EXPECT_EQ(EstimateTokens("\xE4\xBD\xA0\xE5\xA5\xBD"), 2) << "two Chinese characters";
  std::string words;
  for (int i = 0; i < 300; ++i) words += "word ";
  EXPECT_EQ(EstimateTokens(words), 388);  // (1500 / 4 + 400) / 2
}

struct Bad {
  std::string contents;
  std::string message;
};

TEST(ShareGpt, SaysWhereAndWhy) {
  const std::string head =
      "[{\"id\": 1, \"conversations\": [\n{\"from\": \"human\", \"tokens\": 1},\n";
  const std::vector<Bad> cases = {
      {"", "t:1: empty file"},
      {"[]", "t: no requests: 0 conversations read, offset 0"},
      {"[{\"conversations\": [{\"from\": \"human\", \"tokens\": 1}]}]",
       "t: no requests: 1 conversations read, offset 0"},
      {"[\n1]", "t:1: a conversation is not an object but a number"},
      {"[\n\n{\"id\": 1}]", "t:3: a conversation has no key conversations"},
      {"[{\"conversations\": \"x\"}]", "t:1: conversations is not a list but a string"},
      {"[{\"conversations\": {}}]", "t:1: conversations is not a list but an object"},
      {"[{\"conversations\": [], \"conversations\": []}]", "t:1: conversations appears twice"},
      {head + "7]}]", "t:2: a message is not an object but a number"},
      {head + "{\"value\": \"x\"}]}]", "t:3: a message has no key from"},
      {head + "{\"from\": \"alien\", \"value\": \"x\"}]}]",
       "t:3: from is \"alien\"; known are human, user, system, tool, gpt, assistant, chatgpt, "
       "bing, "
       "bard, claude"},
      {head + "{\"from\": \"gpt\"}]}]", "t:3: a message has neither tokens nor value"},
      {head + "{\"from\": 5}]}]", "t:3: from is not a string but a number"},
      {head + "{\"from\": \"gpt\", \"value\": null}]}]", "t:3: value is not a string but null"},
      {head + "{\"from\": \"gpt\", \"tokens\": 1.5}]}]",
       "t:3: tokens is not an integer but a fraction"},
      {head + "{\"from\": \"gpt\", \"tokens\": \"9\"}]}]",
       "t:3: tokens is not an integer but a string"},
      {head + "{\"from\": \"gpt\", \"tokens\": -1}]}]",
       "t:3: tokens must be 0 .. 2147483647, not -1"},
      {head + "{\"from\": \"gpt\", \"tokens\": 18446744073709551615}]}]",
       "t:3: tokens must be 0 .. 2147483647, not 9223372036854775807"},
      {head + "{\"from\": \"gpt\", \"tokens\": 2147483647},\n{\"from\": \"gpt\", \"tokens\": 9}]}]",
       "t:4: a turn has more than 2147483647 tokens"},
      {head + "\n{\"from\": ]", "t:4: not valid JSON"},
      {"[" + std::string(1000, '['), "t:1: a conversation is not an object but a list"},
      {"[{\"x\": " + std::string(1000, '['), "t:1: nested too deeply"},
  };
  for (const Bad& bad : cases) {
    const auto table = ParseTrace(bad.contents, "t", nullptr, {});
    ASSERT_FALSE(table.ok()) << bad.contents;
    EXPECT_EQ(table.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(std::string(table.status().message()), bad.message);
  }
  EXPECT_EQ(
      std::string(ParseTrace("{}", "t", FindTraceFormat("sharegpt_json"), {}).status().message()),
      "t:1: the file is not a JSON list but an object");
}

}  // namespace
}  // namespace tokensim
