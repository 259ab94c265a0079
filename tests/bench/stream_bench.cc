// Events per second through gRPC, from a running tokensimd to one client that counts them.
//
//   stream_bench ADDRESS [REQUESTS]     prints one line: events seconds events/s MB/s
//
// A plain program: the server is another process, as in life (tests/bench/run.sh starts it).
#include <chrono>
#include <cstdio>
#include <string>

#include "clients/cpp/client.h"
#include "engine/io/yaml/yaml.h"

namespace tokensim {
namespace {

constexpr const char kSpec[] = R"(
name: stream bench
model: llama2-7b
workers: [{hardware: a100-80g}]
workload: {arrival: {poisson: {rate_per_second: 8}}, lengths: sharegpt}
)";

int Main(const std::string& address, int64_t requests) {
  client::Client client({.server = address});
  v1::CreateSimulationRequest create;
  if (!ParseYaml(kSpec, "spec", create.mutable_simulation()->mutable_spec()).empty()) return 1;
  create.mutable_simulation()->mutable_spec()->mutable_workload()->set_num_requests(requests);
  const auto created = client.CreateSimulation(create);
  if (!created.ok()) {
    std::fprintf(stderr, "create: %s\n", created.error().message.c_str());
    return 1;
  }
  // Wait for the run, so that only the stream is measured.
  const auto watch = client.WatchSimulation(created.value().name());
  for (v1::Simulation simulation; watch->Next(&simulation);) {
  }
  v1::StreamEventsRequest request;
  request.set_name(created.value().name());
  const auto begin = std::chrono::steady_clock::now();
  const auto stream = client.StreamEvents(request);
  int64_t events = 0, bytes = 0;
  for (v1::EventBatch batch; stream->Next(&batch);) {
    events += batch.events_size();
    bytes += static_cast<int64_t>(batch.ByteSizeLong());
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  if (stream->error().has_value()) {
    std::fprintf(stderr, "stream: %s\n", stream->error()->message.c_str());
    return 1;
  }
  std::printf("%lld events  %.3f s  %.3g events/s  %.1f MB/s\n", static_cast<long long>(events),
              seconds.count(), static_cast<double>(events) / seconds.count(),
              static_cast<double>(bytes) / seconds.count() / 1e6);
  return 0;
}

}  // namespace
}  // namespace tokensim

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: stream_bench ADDRESS [REQUESTS]\n");
    return 2;
  }
  return tokensim::Main(argv[1], argc > 2 ? std::stoll(argv[2]) : 50'000);
}
