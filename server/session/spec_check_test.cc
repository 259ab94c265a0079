#include "server/session/spec_check.h"

#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "server/base/error.h"
#include "server/session/session_test_spec.h"

namespace tokensim {
namespace {

v1::Finding MakeFinding(v1::Finding::Severity severity, const std::string& field,
                        const std::string& reason) {
  v1::Finding finding;
  finding.set_severity(severity);
  finding.set_field(field);
  finding.set_message("is wrong");
  finding.set_reason(reason);
  return finding;
}

TEST(SpecCheck, AcceptsWithinTheLimits) {
  EXPECT_TRUE(PrepareForServer(MakeTestSpec(100), {}).ok());
}

TEST(SpecCheck, RefusesWhatIsBeyondThem) {
  const PreparedSpec requests = PrepareForServer(MakeTestSpec(101), {.max_requests = 100});
  EXPECT_FALSE(requests.ok());
  ASSERT_EQ(requests.findings.back().field(), "workload.num_requests");
  v1::Spec spec = MakeTestSpec(100);
  spec.mutable_workers(0)->set_count(3);
  const PreparedSpec workers = PrepareForServer(spec, {.max_workers = 2});
  EXPECT_FALSE(workers.ok());
  EXPECT_EQ(workers.findings.back().field(), "workers");
}

TEST(FindingsError, WarningsAreNoError) {
  EXPECT_TRUE(FindingsError({MakeFinding(v1::Finding::WARNING, "slo", "X")}, "spec").ok());
}

TEST(FindingsError, TakesTheCommonReason) {
  const auto fits = MakeFinding(v1::Finding::ERROR, "workers[0]", reason::kModelDoesNotFit);
  const auto catalog = MakeFinding(v1::Finding::ERROR, "model", reason::kCatalogEntryNotFound);
  const absl::Status one = FindingsError({fits, fits}, "spec");
  EXPECT_EQ(one.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorReason(one), reason::kModelDoesNotFit);
  const absl::Status not_found = FindingsError({catalog}, "spec");
  EXPECT_EQ(not_found.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrorReason(not_found), reason::kCatalogEntryNotFound);
  const absl::Status mixed = FindingsError({catalog, fits}, "spec");
  EXPECT_EQ(mixed.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorReason(mixed), reason::kSpecInvalid);
  const google::rpc::Status wire = ToRpcStatus(mixed);
  google::rpc::BadRequest bad;
  ASSERT_TRUE(wire.details(0).UnpackTo(&bad));
  EXPECT_EQ(bad.field_violations(1).field(), "spec.workers[0]");
}

}  // namespace
}  // namespace tokensim
