#include "clients/cli/remote_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tokensim::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

client::Error TooLarge() {
  client::Error error;
  error.reason = "MESSAGE_TOO_LARGE";
  error.metadata = {{"bytes", "11953766"}, {"limit", "8388608"}};
  return error;
}

TEST(TooLargeText, NamesTheFieldBothSizesAndTheWaysOut) {
  v1::Spec spec;
  auto* rows = spec.mutable_workload()->mutable_trace()->mutable_rows();
  for (int i = 0; i < 1'500; ++i) rows->add_input_tokens(1);
  const std::string text = TooLargeText(spec, TooLarge(), "host:1");
  EXPECT_THAT(text, HasSubstr("11.4 MiB"));
  EXPECT_THAT(text, HasSubstr("host:1 accepts at most 8.00 MiB"));
  EXPECT_THAT(text, HasSubstr("workload.trace has 1,500 rows"));
  for (const char* way : {"--local", "workload.trace.limit", "--server-files"}) {
    EXPECT_THAT(text, HasSubstr(way));
  }
}

TEST(TooLargeText, ASpecWithoutATraceIsNotBlamedOnOne) {
  const std::string text = TooLargeText({}, TooLarge(), "host:1");
  EXPECT_THAT(text, HasSubstr("--local"));
  EXPECT_THAT(text, Not(HasSubstr("trace")));
}

}  // namespace
}  // namespace tokensim::cli
