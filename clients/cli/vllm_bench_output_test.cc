#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "clients/cli/bench_output.h"
#include "clients/cli/bench_output_test_records.h"
#include "engine/base/time.h"
#include "engine/io/measured/bench_formats.h"

namespace tokensim::cli {
namespace {

nlohmann::json Example() {
  std::ostringstream out;
  WriteVllmBench(BenchRecords(), "a \xff label", out);
  return nlohmann::json::parse(out.str());
}

TEST(WriteVllmBench, TotalsAndPercentiles) {
  const nlohmann::json run = Example();
  EXPECT_EQ(run["num_prompts"], 3);
  EXPECT_EQ(run["completed"], 2);
  EXPECT_EQ(run["failed"], 1);
  EXPECT_EQ(run["duration"], 4);
  EXPECT_EQ(run["request_throughput"], 0.5);
  EXPECT_EQ(run["total_input_tokens"], 201);
  EXPECT_EQ(run["output_throughput"], 9 / 4.0);
  // 250 and 500 ms: numpy.percentile([250, 500], 99) is 497.5, numpy.std is 125.
  EXPECT_DOUBLE_EQ(run["mean_ttft_ms"], 375);
  EXPECT_DOUBLE_EQ(run["median_ttft_ms"], 375);
  EXPECT_DOUBLE_EQ(run["p99_ttft_ms"], 497.5);
  EXPECT_DOUBLE_EQ(run["std_ttft_ms"], 125);
  // 3.75 s / 5 and 0.5 s / 2; the gaps together are 4.25 s / 7.
  EXPECT_DOUBLE_EQ(run["mean_tpot_ms"], 500);
  EXPECT_DOUBLE_EQ(run["mean_itl_ms"], 4250.0 / 7);
  EXPECT_DOUBLE_EQ(run["median_e2el_ms"], 2500);
  EXPECT_EQ(run["output_lens"], nlohmann::json({6, 3, 0}));
}

TEST(WriteVllmBench, IsReadAsAMeasuredRun) {
  const nlohmann::json run = Example();
  const accuracy::BenchFormat* format = accuracy::FindBenchFormat(run);
  ASSERT_EQ(format, &accuracy::kVllmBench);
  const auto read = format->read(run, "run", std::nullopt);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->requests.size(), 2U);
  EXPECT_EQ(read->failed, 1);
  EXPECT_EQ(read->requests[0].last_token, FromSeconds(4));
  EXPECT_EQ(read->requests[1].first_token, FromSeconds(1.5));
}

TEST(WriteVllmBench, WithoutRequests) {
  std::ostringstream out;
  WriteVllmBench(RequestTable(), "", out);
  const nlohmann::json run = nlohmann::json::parse(out.str());
  EXPECT_EQ(run["completed"], 0);
  EXPECT_EQ(run["mean_ttft_ms"], 0);
}

}  // namespace
}  // namespace tokensim::cli
