#include "server/http/site.h"

#include "gtest/gtest.h"

namespace tokensim::http {
namespace {

TEST(IsLocalHost, IsThisMachineByItsOwnNames) {
  for (const char* local : {"localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:1", "127.9.9.9",
                            "[::1]", "[::1]:8080"}) {
    EXPECT_TRUE(IsLocalHost(local)) << local;
  }
  for (const char* other : {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                            "127.evil.example:80", "[::2]", "::1", "0.0.0.0", "10.0.0.1"}) {
    EXPECT_FALSE(IsLocalHost(other)) << other;
  }
}

}  // namespace
}  // namespace tokensim::http
