#include "server/http/codec.h"

#include "gtest/gtest.h"
#include "server/base/error.h"
#include "tokensim/v1/simulation_service.pb.h"

namespace tokensim::http {
namespace {

TEST(ParseContentType, KnowsTheFourOfTheProtocol) {
  EXPECT_EQ(ParseContentType("application/json")->codec, Codec::kJson);
  EXPECT_FALSE(ParseContentType("application/json")->stream);
  EXPECT_EQ(ParseContentType("Application/JSON; charset=UTF-8")->codec, Codec::kJson);
  EXPECT_EQ(ParseContentType("application/proto")->codec, Codec::kProto);
  EXPECT_TRUE(ParseContentType("application/connect+json")->stream);
  EXPECT_TRUE(ParseContentType("application/connect+proto")->stream);
  for (const char* other : {"", "text/plain", "application/jsonx", "application/grpc",
                            "application/json; charset=latin1", "application/"}) {
    EXPECT_FALSE(ParseContentType(other)) << other;
  }
}

TEST(Codec, GoesRoundInBothForms) {
  v1::ListSimulationsRequest request;
  request.set_page_size(7);
  request.set_filter("state = RUNNING");
  for (const Codec codec : {Codec::kJson, Codec::kProto}) {
    std::string bytes = "before";
    ASSERT_TRUE(Encode(codec, request, &bytes).ok());
    ASSERT_TRUE(bytes.starts_with("before"));
    v1::ListSimulationsRequest again;
    ASSERT_TRUE(Decode(codec, std::string_view(bytes).substr(6), &again).ok()) << bytes;
    EXPECT_EQ(again.SerializeAsString(), request.SerializeAsString());
  }
}

TEST(Codec, JsonIsCanonical) {
  v1::StreamEventsRequest request;
  request.set_after_sequence(5'000'000'000);
  std::string json;
  ASSERT_TRUE(Encode(Codec::kJson, request, &json).ok());
  EXPECT_EQ(json, R"({"afterSequence":"5000000000"})");
  ASSERT_TRUE(Decode(Codec::kJson, R"({"after_sequence": 6})", &request).ok());
  EXPECT_EQ(request.after_sequence(), 6);
}

TEST(Codec, ErrorsSayWhere) {
  v1::CreateSimulationRequest request;
  const auto message = [&](Codec codec, std::string_view bytes) {
    const absl::Status status = Decode(codec, bytes, &request);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(ErrorReason(status), reason::kRequestInvalid);
    return std::string(status.message());
  };
  EXPECT_NE(message(Codec::kJson, R"({"simulation": {"spec": {"nmae": "x"}}})").find("nmae"),
            std::string::npos);
  EXPECT_NE(message(Codec::kJson, "{").find("CreateSimulationRequest"), std::string::npos);
  message(Codec::kJson, "");
  message(Codec::kJson, std::string(10'000, '['));
  message(Codec::kProto, "\xff\xff\xff");
}

}  // namespace
}  // namespace tokensim::http
