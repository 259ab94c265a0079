// The C++ client against the real server: connections that break, readers that stop.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "clients/cpp/client.h"
#include "engine/io/yaml/yaml.h"
#include "tests/e2e/server_process.h"

namespace tokensim {
namespace {

using client::Client;
using client::EventStream;
using std::chrono::milliseconds;

constexpr char kSpec[] = R"(
name: stream
model: llama2-7b
workers: [{hardware: a100-80g}]
workload:
  num_requests: 3000
  arrival: {poisson: {rate_per_second: 8}}
  lengths: {independent: {input: {fixed: 200}, output: {fixed: 200}}}
)";

class ClientE2e : public ::testing::Test {
 protected:
  ClientE2e() : client_({.server = server_.address()}) {}

  // The name of a new simulation.
  std::string Create() {
    v1::CreateSimulationRequest request;
    EXPECT_TRUE(ParseYaml(kSpec, "spec", request.mutable_simulation()->mutable_spec()).empty());
    const auto created = client_.CreateSimulation(request);
    EXPECT_TRUE(created.ok()) << created.error().ToString();
    return created.ok() ? created.value().name() : "";
  }

  v1::Simulation::State WaitForEnd(const std::string& name) {
    const auto watch = client_.WatchSimulation(name);
    v1::Simulation simulation;
    while (watch->Next(&simulation)) {
    }
    EXPECT_FALSE(watch->error());
    return simulation.state();
  }

  static v1::StreamEventsRequest Events(const std::string& name) {
    v1::StreamEventsRequest request;
    request.set_name(name);
    return request;
  }

  // Reads to the end; the serialized events.
  static std::string ReadAll(EventStream& stream) {
    std::string bytes;
    int64_t sequence = stream.covered_through();
    for (v1::EventBatch batch; stream.Next(&batch);) {
      for (const v1::Event& event : batch.events()) {
        EXPECT_EQ(event.sequence(), ++sequence);
        bytes += event.SerializeAsString();
      }
    }
    EXPECT_FALSE(stream.error()) << stream.error()->ToString();
    return bytes;
  }

  ServerProcess server_;
  Client client_;
};

TEST_F(ClientE2e, CutStreamsLoseAndRepeatNothing) {
  const std::string name = Create();
  const std::string whole = ReadAll(*client_.StreamEvents(Events(name)));
  ASSERT_GT(whole.size(), 2'000'000u);
  CuttingProxy proxy(server_.grpc_port(), 400'000);
  Client cut({.server = proxy.address(), .max_wait = std::chrono::seconds(30)});
  EXPECT_EQ(ReadAll(*cut.StreamEvents(Events(name))), whole);
  EXPECT_GT(proxy.cuts(), 3);
}

TEST_F(ClientE2e, StoppedReadersCostTheServerLittleAndNobodyWaits) {
  constexpr int kReaders = 20;
  const std::string name = Create();
  const std::string whole = ReadAll(*client_.StreamEvents(Events(name)));
  const int64_t before = server_.resident_bytes();
  std::vector<std::unique_ptr<EventStream>> stopped;
  v1::EventBatch batch;
  for (int i = 0; i < kReaders; ++i) {
    stopped.push_back(client_.StreamEvents(Events(name)));
    ASSERT_TRUE(stopped.back()->Next(&batch));
  }
  // Other work goes on beside them.
  EXPECT_EQ(WaitForEnd(Create()), v1::Simulation::SUCCEEDED);
  EXPECT_EQ(ReadAll(*client_.StreamEvents(Events(name))), whole);
  EXPECT_LT(server_.resident_bytes() - before, kReaders * int64_t{4} * 1024 * 1024);
  // And they can go on.
  EXPECT_GT(ReadAll(*stopped.front()).size(), whole.size() / 2);
}

TEST_F(ClientE2e, ACrashedServerEndsTheStreamWhenPatienceIsUsedUp) {
  const std::string name = Create();
  Client impatient({.server = server_.address(), .max_wait = milliseconds(100)});
  const auto stream = impatient.StreamEvents(Events(name));
  v1::EventBatch batch;
  ASSERT_TRUE(stream->Next(&batch));
  server_.Kill();
  while (stream->Next(&batch)) {
  }
  ASSERT_TRUE(stream->error());
  EXPECT_EQ(stream->error()->code, absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace tokensim
