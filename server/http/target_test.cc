#include "server/http/target.h"

#include "gtest/gtest.h"

namespace tokensim::http {
namespace {

TEST(ParseTarget, DecodesPathAndQuery) {
  const auto target = ParseTarget("/v1/a%20b/c?x=1%2B2&y=a+b&z&&x=3");
  ASSERT_TRUE(target.ok());
  EXPECT_EQ(target->path, "/v1/a b/c");
  EXPECT_EQ(*target->Query("x"), "1+2");
  EXPECT_EQ(*target->Query("y"), "a b");
  EXPECT_EQ(*target->Query("z"), "");
  EXPECT_EQ(target->Query("none"), nullptr);
}

TEST(ParseTarget, KeepsASlashAtTheEnd) {
  EXPECT_EQ(ParseTarget("/")->path, "/");
  EXPECT_EQ(ParseTarget("/a/")->path, "/a/");
  EXPECT_EQ(ParseTarget("/?q")->path, "/");
}

TEST(ParseTarget, RefusesPathsThatLeaveTheirFolder) {
  for (const char* bad :
       {"",        "a",         "*",     "http://host/", "//",     "/a//b",  "/..",
        "/a/../b", "/%2e%2e/b", "/.%2E", "/a/.",         "/a%2fb", "/a%5cb", "/a\\b",
        "/a%00",   "/a%0d%0ab", "/a%7F", "/%",           "/%4",    "/%zz"}) {
    EXPECT_FALSE(ParseTarget(bad).ok()) << bad;
  }
  EXPECT_FALSE(ParseTarget("/a?x=%").ok());
  EXPECT_FALSE(ParseTarget("/a?%g0=1").ok());
  EXPECT_TRUE(ParseTarget("/...").ok());
}

TEST(ParseTarget, IsUtf8) {
  EXPECT_EQ(ParseTarget("/%C3%A4?x=%F0%9F%98%80")->path, "/\u00e4");
  for (const char* bad : {"/%ff", "/%C3", "/a?x=%80", "/a?%C0%80=1", "/%ED%A0%80", "/%F4%90%80%80",
                          "/%E0%80%80", "/\xff"}) {
    EXPECT_FALSE(ParseTarget(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace tokensim::http
