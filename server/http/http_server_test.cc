#include "server/http/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace tokensim::http {
namespace {

// A client that sends what it likes.
class RawClient {
 public:
  explicit RawClient(int port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    EXPECT_EQ(connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~RawClient() { Close(); }

  void Send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      text.remove_prefix(static_cast<size_t>(sent));
    }
  }
  // Up to the text or the end of the connection.
  std::string ReadUntil(const std::string& text) {
    std::string out;
    char byte = 0;
    while (out.find(text) == std::string::npos && recv(socket_, &byte, 1, 0) == 1) out += byte;
    return out;
  }
  std::string ReadAll() { return ReadUntil("\x01never"); }
  void Close() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  }

 private:
  int socket_;
};

constexpr char kGet[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

class HttpServerTest : public ::testing::Test {
 protected:
  void Start(Handler handler, HttpServerOptions options = {}) {
    auto server = HttpServer::Start("127.0.0.1", 0, std::move(options), std::move(handler));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  // Answers with method, path and length of the body.
  void StartEcho(HttpServerOptions options = {}) {
    Start(
        [](const std::shared_ptr<Exchange>& exchange) {
          const Request& request = exchange->request();
          exchange->Answer(TextResponse(200, request.method + " " + request.target.path + " " +
                                                 std::to_string(request.body.size())));
        },
        std::move(options));
  }
  std::string Ask(std::string_view request) {
    RawClient client(server_->port());
    client.Send(request);
    return client.ReadAll();
  }

  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersRequestsOneAfterTheOther) {
  StartEcho();
  RawClient client(server_->port());
  for (int i = 0; i < 3; ++i) {
    client.Send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    const std::string answer = client.ReadUntil("POST /p 3\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_NE(answer.find("Connection: keep-alive"), std::string::npos);
  }
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  StartEcho();
  RawClient client(server_->port());
  client.Send(std::string(kGet) + "GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answers = client.ReadAll();
  const size_t first = answers.find("GET /a 0");
  ASSERT_NE(first, std::string::npos);
  EXPECT_NE(answers.find("GET /b 0", first), std::string::npos);
}

TEST_F(HttpServerTest, HeadHasTheLengthButNoBody) {
  StartEcho();
  const std::string answer = Ask("HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(answer.find("Content-Length: 10\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST_F(HttpServerTest, OldClientsGetTheEndByClosing) {
  StartEcho();
  EXPECT_TRUE(Ask("GET /a HTTP/1.0\r\n\r\n").ends_with("GET /a 0\n"));
}

TEST_F(HttpServerTest, LargeBodiesMayWaitForLeave) {
  StartEcho();
  RawClient client(server_->port());
  client.Send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("abc");
  EXPECT_NE(client.ReadUntil("POST /p 3\n").find("200 OK"), std::string::npos);
}

TEST_F(HttpServerTest, RefusesWhatIsNotARequest) {
  StartEcho();
  const auto status = [&](const std::string& request) { return Ask(request).substr(9, 3); };
  EXPECT_EQ(status("nonsense\r\n\r\n"), "400");
  EXPECT_EQ(status("GET /../x HTTP/1.1\r\nHost: x\r\n\r\n"), "400");
  EXPECT_EQ(status("GET /a HTTP/1.1\r\n\r\n"), "400") << "no Host";
  EXPECT_EQ(status("GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"), "400");
  EXPECT_EQ(status("GET /a HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n"), "400");
  EXPECT_EQ(status("GET /a HTTP/3.0\r\nHost: x\r\n\r\n"), "505");
  EXPECT_EQ(status("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: "
                   "chunked\r\n\r\n0\r\n\r\n"),
            "400");
  EXPECT_EQ(status("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            "400");
  EXPECT_EQ(status("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\n"), "400");
  EXPECT_EQ(status("POST /a HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\n"), "417");
}

TEST_F(HttpServerTest, BoundsHeadersAndBodies) {
  HttpServerOptions options;
  options.max_header_bytes = 1'000;
  options.max_body_bytes = 100;
  StartEcho(options);
  EXPECT_EQ(
      Ask("GET /a HTTP/1.1\r\nHost: x\r\nA: " + std::string(2'000, 'a') + "\r\n\r\n").substr(9, 3),
      "431");
  // Without a line end there is no end to wait for.
  EXPECT_EQ(Ask("GET /" + std::string(100'000, 'a')).substr(9, 3), "431");
  const auto post = [&](const std::string& rest) {
    return Ask("POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + rest).substr(9, 3);
  };
  EXPECT_EQ(post("Content-Length: 100\r\n\r\n" + std::string(100, 'x')), "200");
  EXPECT_EQ(post("Content-Length: 101\r\n\r\n"), "413");
  EXPECT_EQ(post("Content-Length: 99999999999999999999\r\n\r\n"), "400");
  EXPECT_EQ(post("Transfer-Encoding: chunked\r\n\r\n65\r\n" + std::string(101, 'x') + "\r\n"),
            "413");
}

TEST_F(HttpServerTest, CutsRequestsThatTrickle) {
  HttpServerOptions options;
  options.request_timeout = std::chrono::milliseconds(300);
  StartEcho(options);
  RawClient in_header(server_->port());
  RawClient in_body(server_->port());
  RawClient silent(server_->port());
  in_header.Send("GET /a HT");
  in_body.Send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
  std::atomic<bool> over = false;
  std::thread trickle([&] {
    while (!over) {
      in_body.Send("x");
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  });
  EXPECT_EQ(in_header.ReadAll().substr(9, 3), "408");
  EXPECT_EQ(in_body.ReadUntil("\r\n").substr(9, 3), "408");
  EXPECT_EQ(silent.ReadAll(), "");
  over = true;
  trickle.join();
}

TEST_F(HttpServerTest, SaysWhenThereAreTooManyConnections) {
  HttpServerOptions options;
  options.max_connections = 2;
  StartEcho(options);
  RawClient first(server_->port());
  auto second = std::make_unique<RawClient>(server_->port());
  for (RawClient* client : {&first, second.get()}) {
    client->Send(kGet);
    client->ReadUntil("GET /a 0\n");
  }
  EXPECT_EQ(Ask(kGet).substr(9, 3), "503");
  second.reset();
  const auto refused = [&] {
    return Ask("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").substr(9, 3) == "503";
  };
  while (refused()) std::this_thread::yield();
}

// Sends parts as long as they are taken.
class Sender final : public PartListener {
 public:
  explicit Sender(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}

  void OnWritten(bool ok) override {
    {
      const std::lock_guard lock(mutex_);
      ++(ok ? written_ : lost_);
    }
    changed_.notify_all();
    if (!ok || written_ == limit) {
      exchange_->End("last");
      exchange_.reset();
      return;
    }
    exchange_->Write(std::string(part_bytes, 'x'));
  }
  void OnGone() override {
    const std::lock_guard lock(mutex_);
    ++gone_;
    changed_.notify_all();
  }
  void WaitUntilLost() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return lost_ > 0; });
  }
  [[nodiscard]] int gone() const { return gone_; }
  [[nodiscard]] int written() const { return written_; }

  int limit = 3;
  size_t part_bytes = 5;

 private:
  std::shared_ptr<Exchange> exchange_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int written_ = 0;
  int lost_ = 0;
  int gone_ = 0;
};

TEST_F(HttpServerTest, SendsAnswersInParts) {
  Start([](const std::shared_ptr<Exchange>& exchange) {
    exchange->AlwaysSend("X-Always", "1");
    exchange->Begin({200, {{"X-Head", "2"}}, ""}, std::make_shared<Sender>(exchange));
    exchange->Write("first");
  });
  RawClient client(server_->port());
  for (int i = 0; i < 2; ++i) {
    client.Send(kGet);
    const std::string answer = client.ReadUntil("0\r\n\r\n");
    EXPECT_NE(answer.find("X-Head: 2\r\nX-Always: 1\r\n"), std::string::npos) << answer;
    EXPECT_TRUE(
        answer.ends_with("\r\n\r\n5\r\nfirst\r\n5\r\nxxxxx\r\n5\r\nxxxxx\r\n4\r\nlast\r\n"
                         "0\r\n\r\n"))
        << answer;
  }
  EXPECT_TRUE(Ask("GET /a HTTP/1.0\r\n\r\n").ends_with("\r\n\r\nfirstxxxxxxxxxxlast"));
}

TEST_F(HttpServerTest, AReaderThatStopsGetsNoMoreThanBuffersHold) {
  std::shared_ptr<Sender> sender;
  std::mutex mutex;
  Start([&](const std::shared_ptr<Exchange>& exchange) {
    const std::lock_guard lock(mutex);
    sender = std::make_shared<Sender>(exchange);
    sender->limit = -1;
    sender->part_bytes = 64 << 10;
    exchange->Begin({}, sender);
    exchange->Write("first");
  });
  RawClient client(server_->port());
  client.Send(kGet);
  client.ReadUntil("first");
  int before = -1;
  while (sender->written() != before) {
    before = sender->written();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  EXPECT_LT(before, 200) << "12 MiB";
  client.Close();
  sender->WaitUntilLost();
  EXPECT_EQ(sender->gone(), 1);
}

TEST_F(HttpServerTest, NoticesThatAClientHasGoneWhileNothingIsSent) {
  std::atomic<bool> asked = false;
  std::shared_ptr<Exchange> kept;
  Start([&](const std::shared_ptr<Exchange>& exchange) {
    kept = exchange;
    asked = true;
  });
  RawClient client(server_->port());
  client.Send(kGet);
  while (!asked) std::this_thread::yield();
  EXPECT_FALSE(kept->gone());
  client.Close();
  while (!kept->gone()) std::this_thread::yield();
  kept->Answer(TextResponse(200, "in vain"));
}

TEST_F(HttpServerTest, OnlyTheFirstAnswerCounts) {
  Start([](const std::shared_ptr<Exchange>& exchange) {
    exchange->SetTimer(std::chrono::milliseconds(1), [exchange] {
      exchange->Answer(TextResponse(504, "late"));
      exchange->Answer(TextResponse(200, "never"));
    });
  });
  RawClient client(server_->port());
  for (int i = 0; i < 2; ++i) {
    client.Send(kGet);
    EXPECT_EQ(client.ReadUntil("late\n").substr(9, 3), "504");
  }
}

TEST_F(HttpServerTest, DrainEndsIdleConnectionsAndWaitsForOthers) {
  std::shared_ptr<Exchange> kept;
  std::atomic<bool> asked = false;
  Start([&](const std::shared_ptr<Exchange>& exchange) {
    kept = exchange;
    asked = true;
  });
  RawClient idle(server_->port());
  RawClient busy(server_->port());
  busy.Send(kGet);
  while (!asked) std::this_thread::yield();
  std::thread answer([&] {
    EXPECT_EQ(idle.ReadAll(), "");  // the drain has begun
    kept->Answer(TextResponse(200, "done"));
    const std::string text = busy.ReadAll();
    EXPECT_NE(text.find("Connection: close"), std::string::npos) << text;
    busy.Close();
  });
  server_->Drain(std::chrono::seconds(30));
  answer.join();
  EXPECT_EQ(server_->connections(), 0);
}

TEST_F(HttpServerTest, DrainCutsWhatDoesNotEnd) {
  std::atomic<bool> asked = false;
  std::shared_ptr<Exchange> kept;
  Start([&](const std::shared_ptr<Exchange>& exchange) {
    kept = exchange;
    asked = true;
  });
  RawClient client(server_->port());
  client.Send(kGet);
  while (!asked) std::this_thread::yield();
  server_->Drain(std::chrono::milliseconds(10));
  EXPECT_EQ(client.ReadAll(), "");
  EXPECT_TRUE(kept->gone());
  kept->Answer(TextResponse(200, "in vain"));
}

TEST_F(HttpServerTest, APortInUseIsAnError) {
  StartEcho();
  const auto second = HttpServer::Start("127.0.0.1", server_->port(), {}, [](auto) {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(HttpServer::Start("no such host.invalid", 0, {}, [](auto) {}).ok());
}

}  // namespace
}  // namespace tokensim::http
