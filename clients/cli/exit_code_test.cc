#include "clients/cli/exit_code.h"

#include <gtest/gtest.h>

namespace tokensim::cli {
namespace {

ExitCode Of(absl::StatusCode code, const std::string& reason = "") {
  client::Error error;
  error.code = code;
  error.reason = reason;
  return ExitCodeOf(error);
}

TEST(ExitCode, IsTheContractOfTheDocs) {
  EXPECT_EQ(Of(absl::StatusCode::kUnavailable), ExitCode::kUnreachable);
  EXPECT_EQ(Of(absl::StatusCode::kDeadlineExceeded), ExitCode::kUnreachable);
  EXPECT_EQ(Of(absl::StatusCode::kResourceExhausted, "TENANT_QUOTA"), ExitCode::kRefused);
  EXPECT_EQ(Of(absl::StatusCode::kFailedPrecondition, "SIMULATION_ACTIVE"), ExitCode::kRefused);
  EXPECT_EQ(Of(absl::StatusCode::kAlreadyExists, "SIMULATION_EXISTS"), ExitCode::kRefused);
  EXPECT_EQ(Of(absl::StatusCode::kInvalidArgument, "SPEC_INVALID"), ExitCode::kSpecInvalid);
  EXPECT_EQ(Of(absl::StatusCode::kInvalidArgument, "MODEL_DOES_NOT_FIT"), ExitCode::kSpecInvalid);
  EXPECT_EQ(Of(absl::StatusCode::kNotFound, "CATALOG_ENTRY_NOT_FOUND"), ExitCode::kSpecInvalid);
  EXPECT_EQ(Of(absl::StatusCode::kNotFound, "SIMULATION_NOT_FOUND"), ExitCode::kUsage);
  EXPECT_EQ(Of(absl::StatusCode::kInternal), ExitCode::kRunFailed);
}

}  // namespace
}  // namespace tokensim::cli
