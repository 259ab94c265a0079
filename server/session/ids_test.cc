#include "server/session/ids.h"

#include <set>

#include "gtest/gtest.h"
#include "server/base/names.h"

namespace tokensim {
namespace {

TEST(Ids, AreWellFormedAndDifferent) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string uid = NewUid();
    EXPECT_TRUE(IsUuid(uid)) << uid;
    const std::string id = NewSimulationId();
    EXPECT_TRUE(IsResourceId(id)) << id;
    EXPECT_TRUE(seen.insert(uid).second);
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(Ids, UuidForm) {
  EXPECT_TRUE(IsUuid("01234567-89ab-4def-8123-456789ABCDEF"));
  EXPECT_FALSE(IsUuid(""));
  EXPECT_FALSE(IsUuid("0123456789ab4def8123456789abcdef0000"));
  EXPECT_FALSE(IsUuid("01234567-89ab-4def-8123-456789abcdeg"));
}

}  // namespace
}  // namespace tokensim
