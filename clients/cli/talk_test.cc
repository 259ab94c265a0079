#include "clients/cli/talk.h"

#include <gtest/gtest.h>

namespace tokensim::cli {
namespace {

client::Error Invalid(std::string message, std::vector<client::FieldViolation> violations) {
  client::Error error;
  error.code = absl::StatusCode::kInvalidArgument;
  error.reason = "REQUEST_INVALID";
  error.message = std::move(message);
  error.violations = std::move(violations);
  return error;
}

TEST(ServerErrorTest, OneViolationIsToldOnce) {
  EXPECT_EQ(ServerErrorText(Invalid("filter: unknown field", {{"filter", "unknown field"}}), "h"),
            "tokensim: INVALID_ARGUMENT (REQUEST_INVALID): filter: unknown field\n");
}

TEST(ServerErrorTest, TheFirstOfManyIsToldOnce) {
  EXPECT_EQ(ServerErrorText(Invalid("a: is 1 (and 1 more)", {{"a", "is 1"}, {"b", "is 2"}}), "h"),
            "tokensim: INVALID_ARGUMENT (REQUEST_INVALID)\n  a: is 1\n  b: is 2\n");
}

TEST(ServerErrorTest, AMessageOfItsOwnIsKept) {
  EXPECT_EQ(ServerErrorText(Invalid("nothing fits", {{"a", "is 1"}}), "h"),
            "tokensim: INVALID_ARGUMENT (REQUEST_INVALID): nothing fits\n  a: is 1\n");
}

TEST(ServerErrorTest, ALongFirstOneWhoseMessageWasCutIsToldOnce) {
  const std::string description(300, 'x');
  const std::string message = "a: " + description.substr(0, 200) + "... (and 1 more)";
  const std::string text =
      ServerErrorText(Invalid(message, {{"a", description}, {"b", "is 2"}}), "h");
  EXPECT_EQ(text,
            "tokensim: INVALID_ARGUMENT (REQUEST_INVALID)\n  a: " + description + "\n  b: is 2\n");
}

TEST(ServerErrorTest, AServerThatIsNotThere) {
  client::Error error;
  error.code = absl::StatusCode::kUnavailable;
  error.message = "connection refused";
  EXPECT_EQ(ServerErrorText(error, "localhost:1"),
            "tokensim: UNAVAILABLE: connection refused\n  Is tokensimd running at localhost:1? "
            "--server or TOKENSIM_SERVER name another; run --local needs none.\n");
}

}  // namespace
}  // namespace tokensim::cli
