#include "server/admin/admin_server.h"

#include <httplib.h>

#include <atomic>

#include "gtest/gtest.h"

namespace tokensim {
namespace {

TEST(AdminServer, AnswersProbes) {
  std::atomic<bool> ready = true;
  auto server = AdminServer::Start("127.0.0.1:0", {.metrics = [] { return "a_total 1\n"; },
                                                   .ready = [&] { return ready.load(); },
                                                   .version_json = R"({"version":"x"})"});
  ASSERT_TRUE(server.ok()) << server.status();
  httplib::Client client("127.0.0.1", (*server)->port());
  EXPECT_EQ(client.Get("/metrics")->body, "a_total 1\n");
  EXPECT_EQ(client.Get("/livez")->status, 200);
  EXPECT_EQ(client.Get("/readyz")->status, 200);
  EXPECT_EQ(client.Get("/version")->body, "{\"version\":\"x\"}\n");
  EXPECT_EQ(client.Get("/other")->status, 404);
  ready = false;
  EXPECT_EQ(client.Get("/readyz")->status, 503);
  EXPECT_EQ(client.Get("/livez")->status, 200);
}

TEST(AdminServer, SaysWhenThePortIsTaken) {
  const AdminHandlers handlers{[] { return ""; }, [] { return true; }, ""};
  const auto first = AdminServer::Start("127.0.0.1:0", handlers);
  ASSERT_TRUE(first.ok());
  const std::string address = "127.0.0.1:" + std::to_string((*first)->port());
  const auto second = AdminServer::Start(address, handlers);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
}

TEST(HostPort, Parses) {
  EXPECT_EQ(ParseHostPort("127.0.0.1:80")->port, 80);
  EXPECT_EQ(ParseHostPort("[::1]:0")->host, "::1");
  EXPECT_TRUE(IsLoopback(*ParseHostPort("localhost:1")));
  EXPECT_TRUE(IsLoopback(*ParseHostPort("[::1]:1")));
  EXPECT_FALSE(IsLoopback(*ParseHostPort("0.0.0.0:1")));
  for (const char* bad : {"", "x", ":1", "x:", "x:y", "x:65536", "x:-1", "x:1y"}) {
    EXPECT_FALSE(ParseHostPort(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace tokensim
