#include "server/base/error.h"

#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace tokensim {
namespace {

template <typename Detail>
std::vector<Detail> Details(const google::rpc::Status& status) {
  std::vector<Detail> out;
  for (const auto& any : status.details()) {
    if (Detail detail; any.UnpackTo(&detail)) out.push_back(detail);
  }
  return out;
}

TEST(Error, CarriesReasonDomainAndMetadata) {
  const auto wire = ToRpcStatus(MakeError(absl::StatusCode::kNotFound, reason::kSimulationNotFound,
                                          "no simulation x", {{"name", "x"}}));
  EXPECT_EQ(wire.code(), 5);
  EXPECT_EQ(wire.message(), "no simulation x");
  const auto infos = Details<google::rpc::ErrorInfo>(wire);
  ASSERT_EQ(infos.size(), 1u);
  EXPECT_EQ(infos[0].reason(), "SIMULATION_NOT_FOUND");
  EXPECT_EQ(infos[0].domain(), "tokensim.dev");
  EXPECT_EQ(infos[0].metadata().at("name"), "x");
}

TEST(Error, ForeignErrorsGetAReasonToo) {
  const auto wire = ToRpcStatus(absl::InternalError("broken"));
  ASSERT_EQ(Details<google::rpc::ErrorInfo>(wire).size(), 1u);
  EXPECT_EQ(wire.code(), 13);
  EXPECT_EQ(wire.message(), "broken");
}

TEST(Error, ListsEveryViolation) {
  const auto wire =
      ToRpcStatus(InvalidFields(reason::kSpecInvalid, {{"spec.a", "bad"}, {"spec.b", "worse"}}));
  const auto bad = Details<google::rpc::BadRequest>(wire);
  ASSERT_EQ(bad.size(), 1u);
  ASSERT_EQ(bad[0].field_violations_size(), 2);
  EXPECT_EQ(bad[0].field_violations(1).field(), "spec.b");
  EXPECT_EQ(wire.message(), "spec.a: bad (and 1 more)");
}

TEST(Error, StaysBelowTheSizeThatGrpcLoses) {
  for (const int count : {1, 3, 10, 100, 5000}) {
    for (const size_t length : {10u, 300u, 5000u}) {
      const std::vector<FieldViolation> violations(
          static_cast<size_t>(count), {std::string(length, 'f'), std::string(length, 'd')});
      const auto wire = ToRpcStatus(
          InvalidFields(reason::kSpecInvalid, violations, {{"limit", std::string(length, 'm')}}));
      EXPECT_LE(wire.ByteSizeLong(), kMaxErrorBytes);
      const auto bad = Details<google::rpc::BadRequest>(wire);
      ASSERT_EQ(bad.size(), 1u);
      const auto& last = bad[0].field_violations(bad[0].field_violations_size() - 1);
      const int listed = bad[0].field_violations_size();
      if (listed < count) {
        EXPECT_EQ(last.description(), "and " + std::to_string(count - listed + 1) + " more");
      }
    }
  }
}

TEST(Error, CutsBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "\xC3\xA9";  // e with an acute accent
  const auto wire = ToRpcStatus(MakeError(absl::StatusCode::kInternal, reason::kInternal, text));
  const std::string body = wire.message().substr(0, wire.message().size() - 3);
  EXPECT_EQ(body.size() % 2, 0u);
  EXPECT_EQ(wire.message().substr(body.size()), "...");
}

TEST(Error, OverloadSaysWhenToRetry) {
  const auto wire = ToRpcStatus(Overloaded("queue full", {{"limit", "max_queued"}}));
  ASSERT_EQ(Details<google::rpc::RetryInfo>(wire).size(), 1u);
  EXPECT_EQ(Details<google::rpc::RetryInfo>(wire)[0].retry_delay().seconds(), 1);
}

}  // namespace
}  // namespace tokensim
