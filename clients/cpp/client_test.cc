#include "clients/cpp/client.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <regex>
#include <thread>

#include "tokensim/v1/server_service.grpc.pb.h"
#include "tokensim/v1/simulation_service.grpc.pb.h"

namespace tokensim::client {
namespace {

using std::chrono::milliseconds;

grpc::Status Unavailable() { return {grpc::StatusCode::UNAVAILABLE, "going away"}; }

constexpr int kEvents = 100;

// Answers as scripted: fails the first calls, cuts streams after a few batches.
class FakeService : public v1::SimulationService::Service {
 public:
  int failures_before_success = 0;
  int batches_per_connection = 1000;
  grpc::Status failure = Unavailable();
  grpc::Status end_of_cut_stream = Unavailable();
  std::vector<std::string> request_ids;
  std::vector<int64_t> opened_after;
  int watches = 0;

  grpc::Status CreateSimulation(grpc::ServerContext* context,
                                const v1::CreateSimulationRequest* request,
                                v1::Simulation* response) override {
    request_ids.push_back(request->request_id());
    deadline = context->deadline();
    if (failures_before_success-- > 0) return failure;
    response->set_name("tenants/default/simulations/a");
    return grpc::Status::OK;
  }

  grpc::Status WatchSimulation(grpc::ServerContext* context, const v1::WatchSimulationRequest*,
                               grpc::ServerWriter<v1::Simulation>* writer) override {
    v1::Simulation simulation;
    simulation.set_state(v1::Simulation::RUNNING);
    writer->Write(simulation);
    if (++watches == 1) return Unavailable();
    if (watches == 2) return grpc::Status::OK;
    while (hang && !context->IsCancelled()) std::this_thread::sleep_for(milliseconds(1));
    simulation.set_state(v1::Simulation::SUCCEEDED);
    writer->Write(simulation);
    return grpc::Status::OK;
  }

  // Three events a batch; the last of kEvents is SimulationEnded.
  grpc::Status StreamEvents(grpc::ServerContext*, const v1::StreamEventsRequest* request,
                            grpc::ServerWriter<v1::EventBatch>* writer) override {
    opened_after.push_back(request->after_sequence());
    if (failures_before_success-- > 0) return failure;
    const int64_t end = request->until_sequence() > 0 ? request->until_sequence() : kEvents;
    int64_t sequence = request->after_sequence();
    for (int batches = 0; sequence < end; ++batches) {
      if (batches == batches_per_connection) return end_of_cut_stream;
      v1::EventBatch batch;
      for (int i = 0; i < 3 && sequence < end; ++i) {
        v1::Event* event = batch.add_events();
        event->set_sequence(++sequence);
        if (sequence == kEvents) event->mutable_simulation_ended();
      }
      batch.set_covered_through(sequence);
      writer->Write(batch);
    }
    return grpc::Status::OK;
  }

  // Five workers, two in a page.
  grpc::Status GetReportPage(grpc::ServerContext*, const v1::GetReportPageRequest* request,
                             v1::ReportPage* response) override {
    EXPECT_EQ(request->name(), "a");
    if (failures_before_success-- > 0) return failure;
    ++report_pages;
    const int first = request->page_token().empty() ? 0 : std::stoi(request->page_token());
    if (first == 0) response->mutable_part()->set_spec_name("paged");
    for (int i = first; i < std::min(first + 2, 5); ++i) {
      response->mutable_part()->add_workers()->set_worker(i);
    }
    if (first + 2 < 5) response->set_next_page_token(std::to_string(first + 2));
    return grpc::Status::OK;
  }

  std::chrono::system_clock::time_point deadline;
  std::atomic<bool> hang = false;
  int report_pages = 0;
};

class FakeInfo : public v1::ServerService::Service {
 public:
  grpc::Status GetServerInfo(grpc::ServerContext*, const v1::GetServerInfoRequest*,
                             v1::ServerInfo* response) override {
    ++calls;
    response->mutable_limits()->set_max_receive_message_bytes(2'000'000);
    return grpc::Status::OK;
  }
  int calls = 0;
};

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    builder.RegisterService(&info_);
    server_ = builder.BuildAndStart();
    options_.server = "127.0.0.1:" + std::to_string(port);
  }
  ~ClientTest() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::vector<int64_t> ReadAll(Client& client, const v1::StreamEventsRequest& request,
                               std::optional<Error>* error = nullptr) {
    std::vector<int64_t> sequences;
    auto stream = client.StreamEvents(request);
    for (v1::EventBatch batch; stream->Next(&batch);) {
      for (const v1::Event& event : batch.events()) sequences.push_back(event.sequence());
    }
    if (error != nullptr) *error = stream->error();
    return sequences;
  }

  static std::vector<int64_t> Range(int64_t first, int64_t last) {
    std::vector<int64_t> out;
    for (int64_t i = first; i <= last; ++i) out.push_back(i);
    return out;
  }

  FakeService service_;
  FakeInfo info_;
  ClientOptions options_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(ClientTest, RetriesUnavailableWithTheSameRequestId) {
  service_.failures_before_success = 2;
  Client client(options_);
  const auto created = client.CreateSimulation({});
  ASSERT_TRUE(created.ok()) << created.error().ToString();
  ASSERT_EQ(service_.request_ids.size(), 3u);
  EXPECT_EQ(service_.request_ids[0], service_.request_ids[2]);
  EXPECT_TRUE(std::regex_match(
      service_.request_ids[0],
      std::regex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")));
  EXPECT_NE(NewUuid(), NewUuid());
}

TEST_F(ClientTest, UnaryCallsHaveADeadline) {
  Client client(options_);
  ASSERT_TRUE(client.CreateSimulation({}).ok());
  EXPECT_LT(service_.deadline, std::chrono::system_clock::now() + std::chrono::seconds(11));
}

TEST_F(ClientTest, DecodesErrorDetails) {
  google::rpc::ErrorInfo info;
  info.set_reason("SPEC_INVALID");
  (*info.mutable_metadata())["limit"] = "8";
  google::rpc::BadRequest bad;
  bad.add_field_violations()->set_field("spec.workers");
  bad.mutable_field_violations(0)->set_description("at least one");
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  details.add_details()->PackFrom(bad);
  service_.failures_before_success = 1;
  service_.failure = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "the spec is invalid",
                                  details.SerializeAsString());
  Client client(options_);
  const auto created = client.CreateSimulation({});
  ASSERT_FALSE(created.ok());
  const Error& error = created.error();
  EXPECT_EQ(error.code, absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(error.reason, "SPEC_INVALID");
  EXPECT_EQ(error.metadata.at("limit"), "8");
  ASSERT_EQ(error.violations.size(), 1u);
  EXPECT_EQ(error.violations[0].field, "spec.workers");
  EXPECT_EQ(error.violations[0].description, "at least one");
  EXPECT_EQ(error.ToString(), "INVALID_ARGUMENT (SPEC_INVALID): the spec is invalid");
  EXPECT_EQ(service_.request_ids.size(), 1u) << "a final error must not be retried";
}

TEST_F(ClientTest, RetriesOverloadOnlyWhenToldHowLongToWait) {
  service_.failures_before_success = 1;
  service_.failure = {grpc::StatusCode::RESOURCE_EXHAUSTED, "full"};
  Client client(options_);
  EXPECT_FALSE(client.CreateSimulation({}).ok());

  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_nanos(20'000'000);
  google::rpc::Status details;
  details.add_details()->PackFrom(retry);
  service_.failures_before_success = 1;
  service_.failure =
      grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full", details.SerializeAsString());
  EXPECT_TRUE(client.CreateSimulation({}).ok());
}

TEST_F(ClientTest, AServerThatIsNotThereIsUnavailable) {
  Client client({.server = "127.0.0.1:1", .max_wait = milliseconds(200)});
  const auto info = client.GetServerInfo();
  ASSERT_FALSE(info.ok());
  EXPECT_EQ(info.error().code, absl::StatusCode::kUnavailable);
}

TEST_F(ClientTest, AReportIsReadInPages) {
  service_.failures_before_success = 1;
  Client client(options_);
  v1::GetReportRequest request;
  request.set_name("a");
  const auto report = client.GetReport(request);
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  EXPECT_EQ(service_.report_pages, 3);
  EXPECT_EQ(report.value().spec_name(), "paged");
  ASSERT_EQ(report.value().workers_size(), 5);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(report.value().workers(i).worker(), i);
}

TEST_F(ClientTest, ARequestLargerThanTheServerAcceptsIsNotSent) {
  Client client(options_);
  v1::CreateSimulationRequest request;
  v1::Spec* spec = request.mutable_simulation()->mutable_spec();
  spec->set_description(std::string(100'000, 'x'));
  ASSERT_TRUE(client.CreateSimulation(request).ok());
  EXPECT_EQ(info_.calls, 0) << "small ones need no question";
  spec->set_description(std::string(1'900'000, 'x'));
  ASSERT_TRUE(client.CreateSimulation(request).ok());
  EXPECT_EQ(service_.request_ids.size(), 2u);
  spec->set_description(std::string(2'100'000, 'x'));
  const auto refused = client.CreateSimulation(request);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.error().reason, "MESSAGE_TOO_LARGE");
  EXPECT_EQ(refused.error().metadata.at("limit"), "2000000");
  EXPECT_EQ(service_.request_ids.size(), 2u);
  v1::EstimateSimulationRequest estimate;
  *estimate.mutable_spec() = *spec;
  EXPECT_EQ(client.EstimateSimulation(estimate).error().reason, "MESSAGE_TOO_LARGE");
}

TEST_F(ClientTest, CutStreamsResumeWithoutGapOrRepetition) {
  service_.batches_per_connection = 4;
  Client client(options_);
  EXPECT_EQ(ReadAll(client, {}), Range(1, kEvents));
  EXPECT_GT(service_.opened_after.size(), 5u);
}

TEST_F(ClientTest, AStreamThatEndsEarlyWithoutErrorResumesToo) {
  service_.batches_per_connection = 4;
  service_.end_of_cut_stream = grpc::Status::OK;
  Client client(options_);
  EXPECT_EQ(ReadAll(client, {}), Range(1, kEvents));
}

TEST_F(ClientTest, StreamsStartAndEndWhereAsked) {
  Client client(options_);
  v1::StreamEventsRequest request;
  request.set_after_sequence(10);
  request.set_until_sequence(20);
  EXPECT_EQ(ReadAll(client, request), Range(11, 20));
  request.set_after_sequence(kEvents);
  request.set_until_sequence(0);
  EXPECT_EQ(ReadAll(client, request), Range(1, 0));
}

TEST_F(ClientTest, AStreamRefusedForGoodEndsWithTheError) {
  service_.failures_before_success = 1;
  service_.failure = {grpc::StatusCode::FAILED_PRECONDITION, "cancelled"};
  Client client(options_);
  std::optional<Error> error;
  EXPECT_TRUE(ReadAll(client, {}, &error).empty());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, absl::StatusCode::kFailedPrecondition);
}

TEST_F(ClientTest, WatchReopensUntilATerminalState) {
  Client client(options_);
  auto watch = client.WatchSimulation("a");
  std::vector<v1::Simulation::State> states;
  for (v1::Simulation simulation; watch->Next(&simulation);) states.push_back(simulation.state());
  EXPECT_FALSE(watch->error());
  EXPECT_EQ(states, (std::vector<v1::Simulation::State>{
                        v1::Simulation::RUNNING, v1::Simulation::RUNNING, v1::Simulation::RUNNING,
                        v1::Simulation::SUCCEEDED}));
  EXPECT_EQ(service_.watches, 3);
}

TEST_F(ClientTest, InterruptEndsAWaitingStream) {
  service_.hang = true;
  service_.watches = 2;
  Client client(options_);
  auto watch = client.WatchSimulation("a");
  v1::Simulation simulation;
  ASSERT_TRUE(watch->Next(&simulation));
  std::thread interrupter([&client] { client.Interrupt(); });
  EXPECT_FALSE(watch->Next(&simulation));
  interrupter.join();
  ASSERT_TRUE(watch->error());
  EXPECT_EQ(watch->error()->code, absl::StatusCode::kCancelled);
  EXPECT_FALSE(client.GetServerInfo().ok());
}

}  // namespace
}  // namespace tokensim::client
