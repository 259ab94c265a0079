#include "clients/cli/assertion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tokensim::cli {
namespace {

using ::testing::HasSubstr;

v1::Report MakeReport() {
  v1::Report report;
  report.mutable_requests()->set_finished(10);
  report.mutable_requests()->set_rejected_kv_capacity(2);
  report.mutable_requests()->set_rejected_max_model_len(1);
  report.mutable_throughput()->set_requests_per_second(7.5);
  report.mutable_ttft_seconds()->set_count(10);
  report.mutable_ttft_seconds()->set_p99(0.5);
  report.mutable_slo()->set_attainment(0.99);
  report.mutable_slo()->set_goodput_requests_per_second(7.25);
  report.mutable_cache()->set_hit_ratio(0.4);
  report.mutable_transfers()->mutable_kv_transfer_seconds()->set_count(1);
  report.mutable_transfers()->mutable_kv_transfer_seconds()->set_p99(0.002);
  report.add_classes()->set_name("chat");
  report.mutable_classes(0)->mutable_ttft_seconds()->set_count(1);
  report.mutable_classes(0)->mutable_ttft_seconds()->set_p99(0.3);
  return report;
}

bool Holds(const std::string& text) {
  const auto assertion = ParseAssertion(text);
  EXPECT_TRUE(assertion.ok()) << assertion.status();
  return assertion.ok() && Evaluate(*assertion, MakeReport()).holds;
}

std::string ErrorOf(const std::string& text) {
  const auto assertion = ParseAssertion(text);
  EXPECT_FALSE(assertion.ok()) << text;
  return std::string(assertion.status().message());
}

TEST(Assertion, OperatorsAtTheirBounds) {
  EXPECT_TRUE(Holds("ttft.p99 <= 0.5"));
  EXPECT_FALSE(Holds("ttft.p99 < 0.5"));
  EXPECT_TRUE(Holds("ttft.p99 >= 0.5"));
  EXPECT_FALSE(Holds("ttft.p99 > 0.5"));
  EXPECT_TRUE(Holds("ttft.p99 == 0.5"));
  EXPECT_FALSE(Holds("ttft.p99==0.51"));
}

TEST(Assertion, UnitsScaleToSeconds) {
  EXPECT_TRUE(Holds("ttft.p99 <= 500ms"));
  EXPECT_FALSE(Holds("ttft.p99 <= 499.9 ms"));
  EXPECT_TRUE(Holds("ttft.p99 <= 500000us"));
  EXPECT_TRUE(Holds("ttft.p99 <= 5e8ns"));
  EXPECT_TRUE(Holds("ttft.p99 < 1s"));
  EXPECT_TRUE(Holds("ttft.p99 < 0.01min"));
}

TEST(Assertion, NamesOfAllKinds) {
  EXPECT_TRUE(Holds("ttft_seconds.p99 <= 500ms"));
  EXPECT_TRUE(Holds("throughput.requests_per_second > 7"));
  EXPECT_TRUE(Holds("requests.rejected == 3"));
  EXPECT_TRUE(Holds("slo.attainment >= 99%"));
  EXPECT_TRUE(Holds("slo.attainment >= 0.99"));
  EXPECT_TRUE(Holds("goodput == 7.25"));
  EXPECT_TRUE(Holds("cache.hit_ratio >= 40%"));
  EXPECT_TRUE(Holds("kv_transfer.p99 <= 2ms"));
  EXPECT_TRUE(Holds("class.chat.ttft.p99 <= 300ms"));
  EXPECT_FALSE(Holds("class.chat.ttft.p99 <= 299ms"));
}

TEST(Assertion, WhatIsUndefinedDoesNotHold) {
  EXPECT_FALSE(Holds("tpot.p99 <= 1s"));
  const auto result = Evaluate(*ParseAssertion("tpot.p99 <= 1s"), MakeReport());
  EXPECT_EQ(result.measured, "tpot.p99 = undefined");
}

TEST(Assertion, OfAClassTheRunDoesNotHave) {
  const auto result = Evaluate(*ParseAssertion("class.cat.ttft.p99 <= 1s"), MakeReport());
  EXPECT_FALSE(result.holds);
  EXPECT_EQ(result.measured, "class.cat.ttft.p99: the report has no such class");
}

TEST(Assertion, SaysWhatWasMeasured) {
  const auto result = Evaluate(*ParseAssertion(" ttft.p99 <= 1ms "), MakeReport());
  EXPECT_EQ(result.text, "ttft.p99 <= 1ms");
  EXPECT_EQ(result.measured, "ttft.p99 = 500 ms");
}

TEST(Assertion, UnknownMetricsAreAnsweredWithNearNames) {
  EXPECT_THAT(ErrorOf("tttf.p99 <= 1s"), HasSubstr("ttft.p99"));
  EXPECT_THAT(ErrorOf("ttft <= 1s"), HasSubstr("nearest: ttft."));
  EXPECT_THAT(ErrorOf("throughput.request_per_second > 1"),
              HasSubstr("throughput.requests_per_second"));
  EXPECT_THAT(ErrorOf("class.chat.ttfft.p99 <= 1s"), HasSubstr("class.chat.ttft.p99"));
  EXPECT_THAT(ErrorOf("zzz > 1"), HasSubstr("unknown metric 'zzz'"));
}

TEST(Assertion, SyntaxErrorsSayWhatIsWrong) {
  EXPECT_THAT(ErrorOf("ttft.p99"), HasSubstr("no operator"));
  EXPECT_THAT(ErrorOf("ttft.p99 = 1s"), HasSubstr("unknown operator"));
  EXPECT_THAT(ErrorOf("ttft.p99 <= fast"), HasSubstr("'fast' is not a number"));
  EXPECT_THAT(ErrorOf("ttft.p99 <= "), HasSubstr("is not a number"));
  EXPECT_THAT(ErrorOf("ttft.p99 <= 5 parsecs"), HasSubstr("unknown unit 'parsecs'"));
  EXPECT_THAT(ErrorOf("requests.rejected <= 5ms"), HasSubstr("has no unit"));
  EXPECT_THAT(ErrorOf("slo.attainment >= 5ms"), HasSubstr("use %, or none"));
}

}  // namespace
}  // namespace tokensim::cli
