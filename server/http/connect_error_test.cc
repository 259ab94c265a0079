#include "server/http/connect_error.h"

#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "server/base/error.h"

namespace tokensim::http {
namespace {

using nlohmann::json;

TEST(ConnectError, CodesAndStatusAreThoseOfTheProtocol) {
  using absl::StatusCode;
  const std::map<StatusCode, std::pair<std::string, int>> table = {
      {StatusCode::kCancelled, {"canceled", 499}},
      {StatusCode::kUnknown, {"unknown", 500}},
      {StatusCode::kInvalidArgument, {"invalid_argument", 400}},
      {StatusCode::kDeadlineExceeded, {"deadline_exceeded", 504}},
      {StatusCode::kNotFound, {"not_found", 404}},
      {StatusCode::kAlreadyExists, {"already_exists", 409}},
      {StatusCode::kPermissionDenied, {"permission_denied", 403}},
      {StatusCode::kResourceExhausted, {"resource_exhausted", 429}},
      {StatusCode::kFailedPrecondition, {"failed_precondition", 400}},
      {StatusCode::kAborted, {"aborted", 409}},
      {StatusCode::kOutOfRange, {"out_of_range", 400}},
      {StatusCode::kUnimplemented, {"unimplemented", 501}},
      {StatusCode::kInternal, {"internal", 500}},
      {StatusCode::kUnavailable, {"unavailable", 503}},
      {StatusCode::kDataLoss, {"data_loss", 500}},
      {StatusCode::kUnauthenticated, {"unauthenticated", 401}}};
  for (const auto& [code, expected] : table) {
    EXPECT_EQ(ConnectCode(code), expected.first);
    EXPECT_EQ(HttpStatusOf(code), expected.second);
  }
}

TEST(ConnectError, HasDetailsToParseAndToRead) {
  const json error = json::parse(ErrorJson(InvalidField("name", "is \"wrong\" \u00e4")));
  EXPECT_EQ(error["code"], "invalid_argument");
  EXPECT_EQ(error["message"], "name: is \"wrong\" \u00e4");
  bool found = false;
  for (const json& detail : error["details"]) {
    if (detail["type"] != "google.rpc.ErrorInfo") continue;
    found = true;
    const std::string value = detail["value"];
    EXPECT_EQ(value.find('='), std::string::npos) << "no padding";
    std::string bytes;
    ASSERT_TRUE(absl::Base64Unescape(value, &bytes));
    google::rpc::ErrorInfo info;
    ASSERT_TRUE(info.ParseFromString(bytes));
    EXPECT_EQ(info.reason(), reason::kRequestInvalid);
    EXPECT_EQ(detail["debug"]["reason"], reason::kRequestInvalid);
  }
  EXPECT_TRUE(found);
}

TEST(ConnectError, BytesThatAreNotTextAreReplaced) {
  const std::string text = ErrorJson(absl::NotFoundError("a\xff"));
  EXPECT_TRUE(json::accept(text)) << text;
}

TEST(ConnectError, StreamsEndWithOrWithoutOne) {
  EXPECT_EQ(EndStreamJson(absl::OkStatus()), "{}");
  EXPECT_EQ(json::parse(EndStreamJson(Draining()))["error"]["code"], "unavailable");
}

TEST(ErrorResponse, TellsWhenToRetry) {
  const auto retry_after = [](const Response& response) -> std::string {
    for (const auto& [name, value] : response.headers) {
      if (name == "Retry-After") return value;
    }
    return "";
  };
  const Response overloaded = ErrorResponse(Overloaded("full", {}));
  EXPECT_EQ(overloaded.status, 429);
  EXPECT_EQ(retry_after(overloaded), "1");
  EXPECT_EQ(retry_after(ErrorResponse(InvalidField("a", "b"))), "");
}

}  // namespace
}  // namespace tokensim::http
