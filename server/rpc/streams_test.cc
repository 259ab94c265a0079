#include <httplib.h>

#include <atomic>
#include <optional>
#include <thread>

#include "server/base/error.h"
#include "server/rpc/server_test_fixture.h"

namespace tokensim {
namespace {

using Reader = grpc::ClientReader<v1::EventBatch>;

class StreamTest : public ServerTest {
 protected:
  struct Reading {
    std::string bytes;  // of the events
    int64_t events = 0;
    int64_t covered = 0;
    int batches = 0;
    bool ended = false;
    grpc::Status status;
  };
  // Reads up to the end or `max_batches`, then cancels.
  Reading Read(const v1::StreamEventsRequest& request, int max_batches = -1) {
    grpc::ClientContext context;
    const auto reader = simulations_->StreamEvents(&context, request);
    Reading out;
    v1::EventBatch batch;
    while (max_batches != 0 && reader->Read(&batch)) {
      for (const v1::Event& event : batch.events()) {
        out.bytes += event.SerializeAsString();
        ++out.events;
        out.ended = event.has_simulation_ended();
      }
      out.covered = batch.covered_through();
      ++out.batches;
      --max_batches;
    }
    if (max_batches == 0) context.TryCancel();
    out.status = reader->Finish();
    return out;
  }
  static v1::StreamEventsRequest Request(const std::string& name) {
    v1::StreamEventsRequest request;
    request.set_name(name);
    return request;
  }
  [[nodiscard]] std::string Metrics() const {
    httplib::Client admin("127.0.0.1", server_->admin_port());
    const auto answer = admin.Get("/metrics");
    return answer ? answer->body : "";
  }
  // The number after `key` in `metrics`; -1 when it is not there.
  static int64_t Value(const std::string& metrics, const std::string& key) {
    const size_t at = metrics.find(key);
    return at == std::string::npos ? -1 : std::atoll(metrics.c_str() + at + key.size());
  }
  // Opens a stream and reads one batch of it, then no more.
  std::unique_ptr<Reader> Stall(grpc::ClientContext* context, const std::string& name) {
    auto reader = simulations_->StreamEvents(context, Request(name));
    v1::EventBatch batch;
    EXPECT_TRUE(reader->Read(&batch));
    return reader;
  }
};

TEST_F(StreamTest, DeliversEveryEvent) {
  Start();
  const std::string name = CreateOk(MakeTestSpec(2000));
  const Reading all = Read(Request(name));
  EXPECT_TRUE(all.ended);
  EXPECT_EQ(all.events, all.covered);
  EXPECT_GT(all.events, 8000);
  EXPECT_EQ(Read(Request(name)).bytes, all.bytes) << "a replay gives the same bytes";
}

TEST_F(StreamTest, CutStreamsResumeExactly) {
  Start();
  const std::string name = CreateOk(MakeTestSpec(1000));
  v1::StreamEventsRequest request = Request(name);
  request.mutable_filter()->mutable_requests()->set_sample_fraction(0.5);
  const Reading all = Read(request);
  request.mutable_delivery()->set_max_batch_bytes(4096);
  std::string joined;
  bool ended = false;
  for (int cuts = 1; !ended; ++cuts) {
    const Reading part = Read(request, cuts);
    joined += part.bytes;
    ended = part.ended;
    request.set_after_sequence(part.covered);
  }
  EXPECT_EQ(joined, all.bytes);
}

TEST_F(StreamTest, UntilSequenceEndsEarly) {
  Start();
  v1::StreamEventsRequest request = Request(CreateOk(MakeTestSpec(100)));
  request.set_after_sequence(5);
  request.set_until_sequence(20);
  const Reading some = Read(request);
  EXPECT_EQ(some.events, 15);
  EXPECT_EQ(some.covered, 20);
}

TEST_F(StreamTest, DoesNotWaitForTheRun) {
  Start();
  CreateOk(MakeEndlessSpec());  // has the only thread
  EXPECT_TRUE(Read(Request(CreateOk(MakeTestSpec(50)))).ended);
}

TEST_F(StreamTest, Errors) {
  Start();
  const std::string name = CreateOk(MakeEndlessSpec());
  EXPECT_EQ(WireError(Read(Request("x")).status).reason, reason::kRequestInvalid);
  EXPECT_EQ(WireError(Read(Request("tenants/default/simulations/none")).status).reason,
            reason::kSimulationNotFound);
  v1::StreamEventsRequest request = Request(name);
  request.set_after_sequence(-1);
  EXPECT_EQ(WireError(Read(request).status).reason, reason::kRequestInvalid);
  request = Request(name);
  request.mutable_delivery()->set_max_batch_bytes(5);
  EXPECT_EQ(WireError(Read(request).status).reason, reason::kRequestInvalid);
  request = Request(name);
  request.mutable_delivery()->mutable_max_batch_delay()->set_seconds(1'000'000'000'000);
  EXPECT_EQ(WireError(Read(request).status).reason, reason::kRequestInvalid);
  v1::Simulation out;
  ASSERT_TRUE(Cancel(name, &out).ok());
  EXPECT_EQ(WaitUntilEnded(name).state(), v1::Simulation::CANCELLED);
  const WireError cancelled(Read(Request(name)).status);
  EXPECT_EQ(cancelled.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(cancelled.reason, reason::kStreamNotAvailable);
  request = Request(CreateOk(MakeTestSpec(10)));
  request.set_after_sequence(1'000'000);
  const WireError beyond(Read(request).status);
  EXPECT_EQ(beyond.code, grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(beyond.reason, reason::kCursorOutOfRange);
}

TEST_F(StreamTest, TooManyStreamsAreRefused) {
  ServerOptions options = TestOptions();
  options.max_event_streams = 2;
  Start(options);
  const std::string name = CreateOk(MakeEndlessSpec());
  grpc::ClientContext first;
  grpc::ClientContext second;
  const auto one = Stall(&first, name);
  const auto two = Stall(&second, name);
  const WireError error(Read(Request(name)).status);
  EXPECT_EQ(error.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(error.metadata.at("limit"), "max_event_streams");
  EXPECT_TRUE(error.retryable);
  first.TryCancel();
  one->Finish();
  // The place is free as soon as the server has seen it.
  while (!Read(Request(name), 1).covered) std::this_thread::yield();
}

TEST_F(StreamTest, StalledReadersDoNotDelayARunAndAreEnded) {
  ServerOptions options = TestOptions();
  options.stream_stall_timeout = std::chrono::milliseconds(200);
  Start(options);
  const std::string endless = CreateOk(MakeEndlessSpec());
  grpc::ClientContext context;
  const auto stalled = Stall(&context, endless);
  // Others go on meanwhile.
  const Reading all = Read(Request(CreateOk(MakeTestSpec(100))));
  EXPECT_TRUE(all.ended);
  // Wait without reading until the server has given up.
  httplib::Client admin("127.0.0.1", server_->admin_port());
  while (admin.Get("/metrics")->body.find("tokensim_stream_stalls_total 0") != std::string::npos) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  v1::EventBatch batch;
  while (stalled->Read(&batch)) {
  }
  const grpc::Status status = stalled->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
}

TEST_F(StreamTest, CancelledReadersLeaveNothingBehind) {
  Start();
  const std::string name = CreateOk(MakeEndlessSpec());
  std::vector<std::thread> readers;
  std::atomic<int> cancelled = 0;
  std::atomic<int> batches = 0;
  for (int r = 0; r < 4; ++r) {
    readers.emplace_back([&, r] {
      for (int i = 0; i < 10; ++i) {
        const Reading reading = Read(Request(name), (r + i) % 4);
        cancelled += reading.status.error_code() == grpc::StatusCode::CANCELLED ? 1 : 0;
        batches += reading.batches;
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(cancelled, 40);
  EXPECT_EQ(batches, 10 * (0 + 1 + 2 + 3));
  // Their places are free, and every call that reached the server was counted as cancelled.
  const std::string labels =
      "grpc_method=\"StreamEvents\",grpc_service=\"tokensim.v1.SimulationService\","
      "grpc_type=\"server_stream\"} ";
  int64_t started = 0;
  int64_t ended = -1;
  int64_t open = -1;
  while (open != 0 || started != ended) {
    const std::string metrics = Metrics();
    started = Value(metrics, "grpc_server_started_total{" + labels);
    ended = Value(metrics, "grpc_server_handled_total{grpc_code=\"Canceled\"," + labels);
    open = Value(metrics, "tokensim_streams{kind=\"events\"} ");
  }
  EXPECT_GE(ended, 30) << "those that read a batch";
  EXPECT_LE(ended, 40);
  // The server still serves streams: a new one goes as far as the one before.
  EXPECT_EQ(Read(Request(name), 2).batches, 2);
}

TEST_F(StreamTest, ShutdownEndsOpenStreamsAndWatches) {
  Start();
  const std::string name = CreateOk(MakeEndlessSpec());
  std::atomic<int> reading = 0;
  std::vector<std::thread> clients;
  std::vector<grpc::Status> ends(6);
  for (size_t c = 0; c < ends.size(); ++c) {
    clients.emplace_back([&, c] {
      grpc::ClientContext context;
      if (c % 2 == 0) {
        const auto reader = simulations_->StreamEvents(&context, Request(name));
        v1::EventBatch batch;
        for (bool first = true; reader->Read(&batch); first = false) reading += first ? 1 : 0;
        ends[c] = reader->Finish();
      } else {
        v1::WatchSimulationRequest request;
        request.set_name(name);
        const auto reader = simulations_->WatchSimulation(&context, request);
        v1::Simulation simulation;
        for (bool first = true; reader->Read(&simulation); first = false) reading += first ? 1 : 0;
        ends[c] = reader->Finish();
      }
    });
  }
  grpc::ClientContext stalled_context;
  const auto stalled = Stall(&stalled_context, name);
  while (reading < static_cast<int>(ends.size())) std::this_thread::yield();
  server_->Shutdown();
  for (std::thread& client : clients) client.join();
  for (const grpc::Status& end : ends) {
    EXPECT_EQ(WireError(end).reason, reason::kServerDraining) << end.error_message();
  }
  v1::EventBatch batch;
  while (stalled->Read(&batch)) {
  }
  EXPECT_EQ(stalled->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace tokensim
