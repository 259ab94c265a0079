#include "server/http/message.h"

#include "gtest/gtest.h"

namespace tokensim::http {
namespace {

TEST(HeadOf, TellsHowTheBodyEnds) {
  Response response;
  response.status = 404;
  response.headers = {{"Content-Type", "text/plain"}};
  EXPECT_EQ(
      HeadOf(response, Framing::kLength, 7, true, "now"),
      "HTTP/1.1 404 Not Found\r\nDate: now\r\nContent-Type: text/plain\r\n"
      "X-Content-Type-Options: nosniff\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\n");
  response.headers.clear();
  EXPECT_EQ(HeadOf(response, Framing::kChunked, 0, false, "now"),
            "HTTP/1.1 404 Not Found\r\nDate: now\r\nX-Content-Type-Options: nosniff\r\n"
            "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
}

TEST(ChunkOf, HasItsLengthInFront) {
  EXPECT_EQ(ChunkOf("0123456789abcdef0"), "11\r\n0123456789abcdef0\r\n");
  EXPECT_EQ(ChunkOf(""), "0\r\n\r\n");
}

TEST(ListContains, ComparesElements) {
  EXPECT_TRUE(ListContains("deflate, GZip;q=0.5", "gzip"));
  EXPECT_FALSE(ListContains("xgzip, gzipx", "gzip"));
  EXPECT_FALSE(ListContains("", "gzip"));
}

TEST(Request, FindsHeaders) {
  Request request;
  request.headers = {{"a", "1"}, {"b", "2"}, {"a", "3"}};
  EXPECT_EQ(request.Header("a"), "1");
  EXPECT_EQ(request.Header("c"), "");
}

}  // namespace
}  // namespace tokensim::http
