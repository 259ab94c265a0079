#include "clients/cli/exit_code.h"

namespace tokensim::cli {

ExitCode ExitCodeOf(const client::Error& error) {
  if (error.reason == "SPEC_INVALID" || error.reason == "MODEL_DOES_NOT_FIT" ||
      error.reason == "CATALOG_ENTRY_NOT_FOUND") {
    return ExitCode::kSpecInvalid;
  }
  switch (error.code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kUnreachable;
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return ExitCode::kRefused;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
      return ExitCode::kUsage;
    case absl::StatusCode::kCancelled:
      return ExitCode::kInterrupted;
    default:
      return ExitCode::kRunFailed;
  }
}

}  // namespace tokensim::cli
