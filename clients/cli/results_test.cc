#include "clients/cli/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tokensim::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(RunResults, AnAssertionThatIsMissedIsToldToTheQuietToo) {
  v1::Report report;
  report.mutable_requests()->set_finished(7);
  for (const bool quiet : {false, true}) {
    ResultOptions options;
    options.assertions = {"requests.finished > 5", "requests.finished > 9"};
    TalkOptions talk;
    talk.quiet = quiet;
    RunResults results(options, talk);
    ASSERT_TRUE(results.Open());
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(results.Finish(report), ExitCode::kAssertionMissed);
    (void)::testing::internal::GetCapturedStdout();
    const std::string told = ::testing::internal::GetCapturedStderr();
    EXPECT_THAT(told, HasSubstr("MISSED: requests.finished > 9"));
    if (quiet) {
      EXPECT_THAT(told, Not(HasSubstr("holds:")));
    } else {
      EXPECT_THAT(told, HasSubstr("holds:  requests.finished > 5"));
    }
  }
}

}  // namespace
}  // namespace tokensim::cli
