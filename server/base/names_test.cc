#include "server/base/names.h"

#include "gtest/gtest.h"

namespace tokensim {
namespace {

TEST(Names, RoundTrip) {
  const auto name = ParseSimulationName("tenants/default/simulations/run-1");
  ASSERT_TRUE(name.ok()) << name.status();
  EXPECT_EQ(name->tenant, "default");
  EXPECT_EQ(name->id, "run-1");
  EXPECT_EQ(name->ToString(), "tenants/default/simulations/run-1");
}

TEST(Names, RefusesWhatIsNotAName) {
  for (const char* bad :
       {"", "x", "tenants/a", "tenants//simulations/a", "tenants/a/simulations/",
        "tenants/a/simulations/B", "tenants/a/simulations/1a", "tenants/a/simulations/a-",
        "tenants/a/simulations/a/b", "tenants/a/b/simulations/c", "tenants/a/simulations/../x"}) {
    EXPECT_EQ(ParseSimulationName(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_FALSE(IsResourceId(std::string(64, 'a')));
  EXPECT_TRUE(IsResourceId(std::string(63, 'a')));
  EXPECT_TRUE(IsResourceId("a"));
}

TEST(Names, EmptyParentIsTheDefaultTenant) {
  EXPECT_EQ(*ParseParent(""), "default");
  EXPECT_EQ(*ParseParent("tenants/lab"), "lab");
  EXPECT_FALSE(ParseParent("lab").ok());
  EXPECT_FALSE(ParseParent("tenants/").ok());
}

}  // namespace
}  // namespace tokensim
