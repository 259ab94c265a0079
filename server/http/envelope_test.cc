#include "server/http/envelope.h"

#include "gtest/gtest.h"

namespace tokensim::http {
namespace {

using absl::StatusCode;

TEST(Envelope, HasFlagsAndLengthInFront) {
  const std::string payload(0x1234, 'x');
  const std::string envelope = MakeEnvelope(kEndStreamFlag, payload);
  EXPECT_EQ(envelope.substr(0, kEnvelopeHeadBytes), std::string("\x02\x00\x00\x12\x34", 5));
  EXPECT_EQ(envelope.substr(kEnvelopeHeadBytes), payload);
}

TEST(OpenOnlyEnvelope, GivesThePayload) {
  EXPECT_EQ(*OpenOnlyEnvelope(MakeEnvelope(0, "abc")), "abc");
  EXPECT_EQ(*OpenOnlyEnvelope(MakeEnvelope(0, "")), "");
}

// As the conformance tests of the protocol want it.
TEST(OpenOnlyEnvelope, RefusesAllElse) {
  const auto code = [](const std::string& body) { return OpenOnlyEnvelope(body).status().code(); };
  EXPECT_EQ(code(""), StatusCode::kUnimplemented);
  EXPECT_EQ(code(MakeEnvelope(0, "a") + MakeEnvelope(0, "b")), StatusCode::kUnimplemented);
  EXPECT_EQ(code(MakeEnvelope(kCompressedFlag, "a")), StatusCode::kInternal);
  EXPECT_EQ(code(MakeEnvelope(kEndStreamFlag, "{}")), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(std::string(4, '\0')), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(MakeEnvelope(0, "abc").substr(0, 7)), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(std::string("\x00\xff\xff\xff\xff", 5)), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tokensim::http
