#include "engine/io/measured/bench_formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/io/measured/truth_reader.h"

namespace tokensim::accuracy {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<MeasuredRun> Read(std::string_view text,
                                 std::optional<size_t> which = std::nullopt) {
  const nlohmann::json document = ParseBenchDocument(text);
  const BenchFormat* format = FindBenchFormat(document);
  if (format == nullptr) return absl::NotFoundError("no format");
  return format->read(document, "run", which);
}

std::string Error(std::string_view text, std::optional<size_t> which = std::nullopt) {
  return std::string(Read(text, which).status().message());
}

// Two requests of 100 and 200 tokens, at 0 and 1.5 s: three tokens at 0.25, 0.5, 0.75 s, and two at
// 2 and 2.125 s. Whatever the tool.
void ExpectTheTwo(const absl::StatusOr<MeasuredRun>& run) {
  ASSERT_TRUE(run.ok()) << run.status();
  ASSERT_EQ(run->requests.size(), 2U);
  const MeasuredRequest& first = run->requests[0];
  const MeasuredRequest& second = run->requests[1];
  EXPECT_EQ(first.arrival, 0);
  EXPECT_NEAR(ToSeconds(first.first_token), 0.25, 1e-6);
  EXPECT_NEAR(ToSeconds(first.last_token), 0.75, 1e-6);
  EXPECT_EQ(first.input_tokens, 100);
  EXPECT_EQ(first.output_tokens, 3);
  EXPECT_NEAR(ToSeconds(second.arrival), 1.5, 1e-6);
  EXPECT_NEAR(ToSeconds(second.first_token), 2, 1e-6);
  EXPECT_NEAR(ToSeconds(second.last_token), 2.125, 1e-6);
  EXPECT_EQ(second.input_tokens, 200);
  EXPECT_EQ(second.output_tokens, 2);
  EXPECT_TRUE(run->has_first_token);
  EXPECT_TRUE(run->has_last_token);
  EXPECT_EQ(run->failed, 1);
}

// The second was sent first of the list; the last failed.
constexpr char kVllm[] = R"({"duration": 3.0, "completed": 2, "request_throughput": 0.6,
  "input_lens": [200, 100, 50], "output_lens": [2, 3, 0], "start_times": [11.5, 10.0, 12.0],
  "ttfts": [0.5, 0.25, 0.0], "itls": [[0.125], [0.25, 0.25], []], "errors": ["", "", "refused"]})";

TEST(VllmBench, ReadsTheDetailsOfEachRequest) {
  ExpectTheTwo(Read(kVllm));
  EXPECT_FALSE(Read(kVllm)->has_intended);
}

TEST(VllmBench, LatenciesBeforeTheSumOfGaps) {
  std::string text = kVllm;
  text.insert(1, R"("latencies": [1.0, 0.75, 0.0], )");
  EXPECT_NEAR(ToSeconds(Read(text)->requests[1].last_token), 2.5, 1e-6);
}

TEST(VllmBench, SeveralRunsAsLines) {
  std::string line;
  for (const char c : std::string_view(kVllm)) line += c == '\n' ? ' ' : c;
  const std::string text = line + "\n" + line + "\n";
  EXPECT_THAT(Error(text), HasSubstr("has 2 runs; choose one: run#0"));
  ExpectTheTwo(Read(text, 1));
  EXPECT_THAT(Error(text, 2), HasSubstr("there is no #2"));
}

TEST(VllmBench, WithoutDetailsSaysHowToKeepThem) {
  EXPECT_THAT(Error(R"({"duration": 3, "request_throughput": 1, "mean_ttft_ms": 5})"),
              HasSubstr("--save-detailed"));
  EXPECT_THAT(Error(R"({"duration": 3, "request_throughput": 1, "ttfts": [1], "input_lens": [1],
                        "output_lens": [1]})"),
              HasSubstr("start_times"));
  EXPECT_THAT(Error(R"({"duration": 3, "request_throughput": 1, "ttfts": [1], "input_lens": [1, 2],
                        "output_lens": [1], "start_times": [0]})"),
              HasSubstr("not equally long"));
}

constexpr char kGuide[] = R"({"metadata": {"version": 2}, "benchmarks": [{"requests": {
  "errored": [{}], "incomplete": [], "successful": [
  {"request_id": "b", "info": {"timings": {"targeted_start": 1700000001.25,
     "request_start": 1700000001.5, "first_token_iteration": 1700000002.0,
     "last_token_iteration": 1700000002.125, "request_end": 1700000002.5}},
   "input_metrics": {"text_tokens": 150, "image_tokens": 50, "cached_tokens": 64},
   "output_metrics": {"text_tokens": 2}},
  {"request_id": "a", "info": {"timings": {"targeted_start": 1700000000.0,
     "request_start": 1700000000.0, "first_token_iteration": 1700000000.25,
     "request_end": 1700000000.75}},
   "input_metrics": {"text_tokens": 100}, "output_metrics": {"text_tokens": 3}}]}}]})";

TEST(GuideLlm, ReadsTimingsAndKindsOfTokens) {
  const auto run = Read(kGuide);
  ExpectTheTwo(run);
  EXPECT_TRUE(run->has_intended);
  EXPECT_NEAR(ToSeconds(run->requests[1].intended), 1.25, 1e-6);
  EXPECT_EQ(run->requests[0].id, "a");
}

TEST(GuideLlm, SeveralRatesMustBeChosenFrom) {
  nlohmann::json document = nlohmann::json::parse(kGuide);
  document["benchmarks"].push_back(document["benchmarks"][0]);
  EXPECT_THAT(Error(document.dump()), HasSubstr("has 2 benchmarks; choose one: run#0"));
  ExpectTheTwo(Read(document.dump(), 1));
}

TEST(InferencePerf, ReadsTokenTimes) {
  ExpectTheTwo(Read(R"([
    {"start_time": 50.0, "end_time": 51, "info": {"input_tokens": 100,
      "output_token_times": [50.25, 50.5, 50.75]}, "error": null},
    {"start_time": 51.5, "end_time": 53, "info": {"input_tokens": 200,
      "output_token_times": [52.0, 52.125]}, "error": null},
    {"start_time": 52, "end_time": 53, "info": {}, "error": {"error_type": "timeout"}}])"));
}

TEST(AiPerf, ReadsLinesWithoutWarmUp) {
  ExpectTheTwo(Read(
      R"({"metadata": {"request_start_ns": 1700000000000000001, "benchmark_phase": "warmup"}}
{"metadata": {"request_start_ns": 1700000010000000000, "request_end_ns": 1700000010750000000, "benchmark_phase": "profiling"}, "metrics": {"time_to_first_token": {"value": 250, "unit": "ms"}, "input_sequence_length": {"value": 100, "unit": "tokens"}, "output_sequence_length": {"value": 3, "unit": "tokens"}}, "error": null}
{"metadata": {"request_start_ns": 1700000011500000000, "request_end_ns": 1700000012900000000}, "metrics": {"time_to_first_token": {"value": 0.5, "unit": "s"}, "request_latency": {"value": 625, "unit": "ms"}, "input_sequence_length": {"value": 200}, "output_sequence_length": {"value": 2}}}
{"metadata": {"request_start_ns": 1700000011600000000, "was_cancelled": true}, "metrics": {}}
)"));
}

TEST(BenchFormats, FiguresThatMakeNoSenseAreTold) {
  EXPECT_THAT(Error(R"([{"start_time": 50, "info": {"input_tokens": 1.5,
                "output_token_times": [51]}}])"),
              HasSubstr("request 0: input tokens are 1.5"));
  EXPECT_THAT(Error(R"([{"start_time": 50, "info": {"input_tokens": 1,
                "output_token_times": [49]}}])"),
              HasSubstr("the first token is before the arrival"));
  EXPECT_THAT(Error(R"([{"start_time": 5e9, "info": {"input_tokens": 1,
                "output_token_times": [49]}}])"),
              HasSubstr("the arrival is 5e+09"));
  EXPECT_THAT(Error(R"([{"start_time": 1, "info": {}, "error": 1}])"),
              HasSubstr("no request succeeded"));
  EXPECT_EQ(Error("{}"), "no format");
  EXPECT_EQ(Error("[1, 2]"), "no format");
  EXPECT_EQ(Error("nonsense"), "no format");
}

TEST(ReadTruth, FindsTheToolByTheFile) {
  const std::string file = ::testing::TempDir() + "/bench_formats_test.json";
  std::ofstream(file) << kGuide;
  for (const std::string& path : {file, file + "#0"}) {
    const auto truth = ReadTruth(path);
    ASSERT_TRUE(truth.ok()) << truth.status();
    EXPECT_EQ(std::get<MeasuredRun>(*truth).requests.size(), 2U);
  }
  EXPECT_EQ(ReadTruth(file + "#7").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tokensim::accuracy
