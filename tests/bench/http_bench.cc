// Calls and events per second through HTTP and through gRPC, from a running tokensimd.
//
//   http_bench GRPC_PORT HTTP_PORT [REQUESTS]
//
// Prints one line each: unary calls (GetServerInfo) by one client that waits for each answer, and
// one stream of events. A plain program: the server is another process, as in life (tests/bench/run.sh
// starts it).
#include <httplib.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "clients/cpp/client.h"
#include "engine/io/yaml/yaml.h"

namespace tokensim {
namespace {

constexpr const char kSpec[] = R"(
name: http bench
model: llama2-7b
workers: [{hardware: a100-80g}]
workload: {arrival: {poisson: {rate_per_second: 8}}, lengths: sharegpt}
)";
constexpr int kCalls = 5'000;
constexpr char kEvents[] = "/tokensim.v1.SimulationService/StreamEvents";

// Seconds that `work` takes.
double Time(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void PrintCalls(const char* what, double seconds) {
  std::printf("%-28s %8.0f calls/s  %6.1f us\n", what, kCalls / seconds, seconds / kCalls * 1e6);
}

void PrintEvents(const char* what, int64_t events, int64_t bytes, double seconds) {
  std::printf("%-28s %8.3g events/s  %6.1f MB/s\n", what, static_cast<double>(events) / seconds,
              static_cast<double>(bytes) / seconds / 1e6);
}

void BenchCalls(client::Client& grpc, httplib::Client& http) {
  PrintCalls("gRPC", Time([&] {
               for (int i = 0; i < kCalls; ++i) {
                 if (!grpc.GetServerInfo().ok()) std::exit(1);
               }
             }));
  const auto post = [&](const char* body, const char* type) {
    for (int i = 0; i < kCalls; ++i) {
      const auto answer = http.Post("/tokensim.v1.ServerService/GetServerInfo", body, type);
      if (!answer || answer->status != 200) std::exit(1);
    }
  };
  PrintCalls("HTTP, protobuf", Time([&] { post("", "application/proto"); }));
  PrintCalls("HTTP, JSON", Time([&] { post("{}", "application/json"); }));
}

// Splits what comes into envelopes.
class EnvelopeReader {
 public:
  // Calls `take` with each message that is complete.
  void Add(const char* data, size_t size, const std::function<void(const std::string&)>& take) {
    pending_.append(data, size);
    size_t at = 0;
    while (pending_.size() - at >= 5) {
      size_t length = 0;
      for (size_t i = 1; i < 5; ++i) length = length << 8 | static_cast<uint8_t>(pending_[at + i]);
      if (pending_.size() - at - 5 < length) break;
      if (pending_[at] == 0) take(pending_.substr(at + 5, length));
      at += 5 + length;
    }
    pending_.erase(0, at);
  }

 private:
  std::string pending_;
};

void BenchGrpcStream(client::Client& client, const v1::StreamEventsRequest& request) {
  int64_t events = 0, bytes = 0;
  const double seconds = Time([&] {
    const auto stream = client.StreamEvents(request);
    for (v1::EventBatch batch; stream->Next(&batch);) {
      events += batch.events_size();
      bytes += static_cast<int64_t>(batch.ByteSizeLong());
    }
  });
  PrintEvents("gRPC stream", events, bytes, seconds);
}

void BenchHttpStream(httplib::Client& http, const v1::StreamEventsRequest& request) {
  const std::string payload = request.SerializeAsString();
  std::string body = {0, 0, 0, 0, static_cast<char>(payload.size())};
  body += payload;
  int64_t events = 0, bytes = 0;
  const double seconds = Time([&] {
    EnvelopeReader reader;
    httplib::Request post;
    post.method = "POST";
    post.path = kEvents;
    post.body = body;
    post.set_header("Content-Type", "application/connect+proto");
    post.content_receiver = [&](const char* data, size_t size, uint64_t, uint64_t) {
      bytes += static_cast<int64_t>(size);
      reader.Add(data, size, [&](const std::string& message) {
        v1::EventBatch batch;
        batch.ParseFromString(message);
        events += batch.events_size();
      });
      return true;
    };
    const auto answer = http.send(post);
    if (!answer || answer->status != 200) std::exit(1);
  });
  PrintEvents("HTTP stream, protobuf", events, bytes, seconds);
}

void BenchDownload(httplib::Client& http, const std::string& path) {
  int64_t lines = 0, bytes = 0;
  const double seconds = Time([&] {
    const auto answer = http.Get(path, [&](const char* data, size_t size) {
      bytes += static_cast<int64_t>(size);
      lines += std::count(data, data + size, '\n');
      return true;
    });
    if (!answer || answer->status != 200) std::exit(1);
  });
  PrintEvents("HTTP, events.jsonl", lines, bytes, seconds);
}

int Main(const std::string& grpc_port, int http_port, int64_t requests) {
  client::Client client({.server = "127.0.0.1:" + grpc_port});
  httplib::Client http("127.0.0.1", http_port);
  http.set_keep_alive(true);
  http.set_tcp_nodelay(true);
  v1::CreateSimulationRequest create;
  if (!ParseYaml(kSpec, "spec", create.mutable_simulation()->mutable_spec()).empty()) return 1;
  create.mutable_simulation()->mutable_spec()->mutable_workload()->set_num_requests(requests);
  const auto created = client.CreateSimulation(create);
  if (!created.ok()) {
    std::fprintf(stderr, "create: %s\n", created.error().message.c_str());
    return 1;
  }
  // Wait for the run, so that only calls and streams are measured.
  const auto watch = client.WatchSimulation(created.value().name());
  for (v1::Simulation simulation; watch->Next(&simulation);) {
  }
  BenchCalls(client, http);
  v1::StreamEventsRequest request;
  request.set_name(created.value().name());
  BenchGrpcStream(client, request);
  BenchHttpStream(http, request);
  BenchDownload(http, "/v1/" + request.name() + "/events.jsonl");
  return 0;
}

}  // namespace
}  // namespace tokensim

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: http_bench GRPC_PORT HTTP_PORT [REQUESTS]\n");
    return 2;
  }
  return tokensim::Main(argv[1], std::stoi(argv[2]), argc > 3 ? std::stoll(argv[3]) : 50'000);
}
