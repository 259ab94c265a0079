#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "clients/cli/bench_output.h"
#include "clients/cli/bench_output_test_records.h"
#include "engine/io/measured/bench_formats.h"

namespace tokensim::cli {
namespace {

nlohmann::json Example() {
  std::ostringstream out;
  WriteGuideLlm(BenchRecords(), "a \xff label", out);
  return nlohmann::json::parse(out.str());
}

TEST(WriteGuideLlm, MetricsInItsOwnDefinitions) {
  const nlohmann::json document = Example();
  ASSERT_EQ(document["benchmarks"].size(), 1U);
  EXPECT_EQ(document["metadata"]["version"], 2);
  const nlohmann::json& benchmark = document["benchmarks"][0];
  EXPECT_EQ(benchmark["duration"], 4);
  const nlohmann::json& metrics = benchmark["metrics"];
  EXPECT_EQ(metrics["request_totals"]["successful"], 2);
  EXPECT_EQ(metrics["request_totals"]["errored"], 1);
  EXPECT_EQ(metrics["requests_per_second"]["successful"]["mean"], 0.5);
  // 4 s and 1 s of requests in 4 s.
  EXPECT_EQ(metrics["request_concurrency"]["successful"]["mean"], 1.25);
  const nlohmann::json& ttft = metrics["time_to_first_token_ms"]["successful"];
  EXPECT_DOUBLE_EQ(ttft["mean"], 375);
  EXPECT_DOUBLE_EQ(ttft["percentiles"]["p99"], 497.5);
  EXPECT_DOUBLE_EQ(ttft["percentiles"]["p001"], 250.25);
  EXPECT_DOUBLE_EQ(ttft["total_sum"], 750);
  // Whole latencies over all tokens: 4 s / 6 and 1 s / 3.
  EXPECT_DOUBLE_EQ(metrics["time_per_output_token_ms"]["successful"]["mean"], 500);
  // 3.75 s / 5 and 0.5 s / 2.
  EXPECT_DOUBLE_EQ(metrics["inter_token_latency_ms"]["successful"]["mean"], 500);
  EXPECT_DOUBLE_EQ(metrics["output_token_count"]["successful"]["total_sum"], 9);
}

TEST(WriteGuideLlm, IsReadAsAMeasuredRun) {
  const nlohmann::json document = Example();
  const accuracy::BenchFormat* format = accuracy::FindBenchFormat(document);
  ASSERT_EQ(format, &accuracy::kGuideLlm);
  const auto read = format->read(document, "run", std::nullopt);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->requests.size(), 2U);
  EXPECT_EQ(read->failed, 1);
  EXPECT_EQ(read->requests[0].last_token, FromSeconds(4));
  EXPECT_EQ(read->requests[1].first_token, FromSeconds(1.5));
}

TEST(WriteGuideLlm, WithoutRequests) {
  std::ostringstream out;
  WriteGuideLlm(RequestTable(), "", out);
  const nlohmann::json document = nlohmann::json::parse(out.str());
  EXPECT_EQ(document["benchmarks"][0]["metrics"]["request_totals"]["total"], 0);
}

}  // namespace
}  // namespace tokensim::cli
