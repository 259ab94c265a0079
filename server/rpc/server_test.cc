#include "server/rpc/server.h"

#include <httplib.h>

#include <thread>

#include "gmock/gmock.h"
#include "server/base/error.h"
#include "server/rpc/server_test_fixture.h"

namespace tokensim {
namespace {

using ::testing::HasSubstr;
using Stub = v1::SimulationService::Stub;

TEST_F(ServerTest, RunsASimulation) {
  Start();
  v1::Simulation created;
  v1::CreateSimulationRequest request;
  request.set_simulation_id("first");
  (*request.mutable_simulation()->mutable_labels())["team"] = "infra";
  ASSERT_TRUE(Create(MakeTestSpec(1000), &created, request).ok());
  EXPECT_EQ(created.name(), "tenants/default/simulations/first");
  EXPECT_TRUE(created.spec().workload().has_num_requests());
  std::vector<v1::Simulation> seen;
  ASSERT_TRUE(Watch(created.name(), &seen).ok());
  EXPECT_EQ(seen.back().state(), v1::Simulation::SUCCEEDED);
  EXPECT_EQ(seen.back().progress().requests_finished(), 1000);
  EXPECT_FALSE(seen.back().has_spec() || seen.back().has_report());

  v1::Simulation got;
  ASSERT_TRUE(Get(created.name(), &got).ok());
  EXPECT_EQ(got.report().requests().finished(), 1000);
  EXPECT_EQ(got.etag(), seen.back().etag());
  v1::GetReportRequest report_request;
  report_request.set_name(created.name());
  v1::Report report;
  ASSERT_TRUE(Call(&Stub::GetReport, report_request, &report).ok());
  EXPECT_TRUE(report.workers(0).has_timeline());
  EXPECT_GT(report.execution().wall_seconds(), 0);

  v1::ListSimulationsRequest list;
  list.set_filter("labels.team = infra");
  v1::ListSimulationsResponse listed;
  ASSERT_TRUE(Call(&Stub::ListSimulations, list, &listed).ok());
  ASSERT_EQ(listed.simulations_size(), 1);
  EXPECT_EQ(listed.simulations(0).name(), created.name());

  v1::DeleteSimulationRequest remove;
  remove.set_name(created.name());
  remove.set_etag(got.etag());
  google::protobuf::Empty nothing;
  ASSERT_TRUE(Call(&Stub::DeleteSimulation, remove, &nothing).ok());
  EXPECT_EQ(WireError(Get(created.name(), &got)).reason, reason::kSimulationNotFound);
}

TEST_F(ServerTest, EstimatesAnySpec) {
  Start();
  v1::EstimateSimulationRequest request;
  v1::Estimate estimate;
  ASSERT_TRUE(Call(&Stub::EstimateSimulation, request, &estimate).ok());
  EXPECT_GT(estimate.findings_size(), 0);
  *request.mutable_spec() = MakeTestSpec(100);
  ASSERT_TRUE(Call(&Stub::EstimateSimulation, request, &estimate).ok());
  EXPECT_EQ(estimate.requests(), 100);
}

TEST_F(ServerTest, DescribesItself) {
  Start();
  v1::ServerInfo info;
  grpc::ClientContext context;
  ASSERT_TRUE(v1::ServerService::NewStub(channel_)->GetServerInfo(&context, {}, &info).ok());
  EXPECT_EQ(info.api_version(), "v1");
  EXPECT_EQ(info.limits().max_receive_message_bytes(), 8 << 20);
  EXPECT_EQ(info.simulation_threads(), 1);
  EXPECT_FALSE(info.draining());
  v1::Catalog catalog;
  grpc::ClientContext catalog_context;
  ASSERT_TRUE(
      v1::CatalogService::NewStub(channel_)->GetCatalog(&catalog_context, {}, &catalog).ok());
  EXPECT_GT(catalog.models_size(), 0);
}

// A report larger than a message may be is refused whole, and read in pages.
TEST_F(ServerTest, AReportOfAnySizeCanBeRead) {
  ServerOptions options = TestOptions();
  options.max_send_bytes = 20'000;
  Start(options);
  v1::Spec spec = MakeTestSpec(200);
  spec.mutable_workers(0)->set_count(30);
  const std::string name = CreateOk(spec);
  EXPECT_EQ(WaitUntilEnded(name).state(), v1::Simulation::SUCCEEDED);

  v1::GetReportRequest whole;
  whole.set_name(name);
  v1::Report report;
  const WireError error(Call(&Stub::GetReport, whole, &report));
  EXPECT_EQ(error.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(error.reason, reason::kMessageTooLarge);
  EXPECT_EQ(error.metadata.at("limit"), "20000");
  EXPECT_GT(std::stoll(error.metadata.at("bytes")), 20'000);
  EXPECT_FALSE(error.retryable) << "it would be as large again";

  v1::GetReportPageRequest next;
  next.set_name(name);
  v1::ReportPage page;
  do {
    page.Clear();
    ASSERT_TRUE(Call(&Stub::GetReportPage, next, &page).ok());
    EXPECT_LE(page.ByteSizeLong(), 20'000u);
    report.MergeFrom(page.part());
    next.set_page_token(page.next_page_token());
  } while (!page.next_page_token().empty());
  EXPECT_EQ(report.workers_size(), 30);
  EXPECT_GT(report.workers(29).timeline().running_size(), 0);
  EXPECT_EQ(report.requests().finished(), 200);
}

// A long trace is shown only to those who ask for it, and then refused by name when it is too
// large.
TEST_F(ServerTest, ALongTraceIsLeftOutOfAnswers) {
  ServerOptions options = TestOptions();
  options.max_send_bytes = 20'000;
  Start(options);
  v1::Spec spec = MakeTestSpec(10);
  spec.mutable_workload()->clear_arrival();
  spec.mutable_workload()->clear_lengths();
  spec.mutable_workload()->clear_num_requests();
  v1::TraceRows* rows = spec.mutable_workload()->mutable_trace()->mutable_rows();
  for (int i = 0; i < 5'000; ++i) {
    rows->add_arrival_delta_ns(1'000'000'000);
    rows->add_input_tokens(10);
    rows->add_output_tokens(5);
  }
  v1::Simulation created;
  ASSERT_TRUE(Create(spec, &created).ok());
  EXPECT_EQ(created.omitted_trace_rows(), 5'000);
  EXPECT_EQ(WaitUntilEnded(created.name()).state(), v1::Simulation::SUCCEEDED);
  v1::Simulation got;
  ASSERT_TRUE(Get(created.name(), &got).ok());
  EXPECT_EQ(got.omitted_trace_rows(), 5'000);
  EXPECT_FALSE(got.spec().workload().trace().has_rows());
  EXPECT_EQ(got.report().requests().finished(), 5'000);
  v1::GetSimulationRequest full;
  full.set_name(created.name());
  full.set_view(v1::SIMULATION_VIEW_FULL);
  EXPECT_EQ(WireError(Call(&Stub::GetSimulation, full, &got)).reason, reason::kMessageTooLarge);
  full.set_view(static_cast<v1::SimulationView>(99));
  EXPECT_EQ(WireError(Call(&Stub::GetSimulation, full, &got)).reason, reason::kRequestInvalid);
}

// ---- One test for each row of docs/errors.md that a call can get.

TEST_F(ServerTest, ErrorSpecInvalid) {
  Start();
  v1::Simulation out;
  const WireError error(Create(v1::Spec(), &out));
  EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(error.reason, reason::kSpecInvalid);
  ASSERT_GT(error.bad_request.field_violations_size(), 1) << "every violation is listed";
  EXPECT_THAT(error.bad_request.field_violations(0).field(), HasSubstr("spec."));
}

TEST_F(ServerTest, ErrorsWithManyViolationsKeepTheirDetails) {
  Start();
  v1::Spec spec = MakeTestSpec(10);
  for (int i = 0; i < 500; ++i) spec.add_workers()->set_count(-1);
  v1::Simulation out;
  const WireError error(Create(spec, &out));
  EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT);
  const auto& violations = error.bad_request.field_violations();
  ASSERT_GT(violations.size(), 2);
  EXPECT_THAT(violations.rbegin()->description(), HasSubstr("more"));
}

TEST_F(ServerTest, ErrorModelDoesNotFit) {
  Start();
  v1::Spec spec = MakeTestSpec(10);
  spec.mutable_model()->set_preset("llama2-70b");
  v1::Simulation out;
  const WireError error(Create(spec, &out));
  EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(error.reason, reason::kModelDoesNotFit);
}

TEST_F(ServerTest, ErrorCatalogEntryNotFound) {
  Start();
  v1::Spec spec = MakeTestSpec(10);
  spec.mutable_model()->set_preset("llama2-7c");
  v1::Simulation out;
  const WireError error(Create(spec, &out));
  EXPECT_EQ(error.code, grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(error.reason, reason::kCatalogEntryNotFound);
}

TEST_F(ServerTest, ErrorRequestInvalid) {
  Start();
  v1::Simulation out;
  const WireError error(Get("simulations/x", &out));
  EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(error.reason, reason::kRequestInvalid);
  EXPECT_EQ(error.bad_request.field_violations(0).field(), "name");
  std::vector<v1::Simulation> seen;
  EXPECT_EQ(WireError(Watch("nonsense", &seen)).reason, reason::kRequestInvalid);
}

TEST_F(ServerTest, ErrorSimulationNotFound) {
  Start();
  v1::Simulation out;
  const WireError error(Get("tenants/default/simulations/none", &out));
  EXPECT_EQ(error.code, grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(error.reason, reason::kSimulationNotFound);
  EXPECT_EQ(error.metadata.at("name"), "tenants/default/simulations/none");
  std::vector<v1::Simulation> seen;
  EXPECT_EQ(WireError(Watch("tenants/default/simulations/none", &seen)).reason,
            reason::kSimulationNotFound);
}

TEST_F(ServerTest, ErrorSimulationExistsAndRequestIdReused) {
  Start();
  v1::CreateSimulationRequest request;
  request.set_simulation_id("a");
  request.set_request_id("01234567-89ab-4def-8123-456789abcdef");
  v1::Simulation first;
  ASSERT_TRUE(Create(MakeTestSpec(10), &first, request).ok());
  v1::Simulation again;
  ASSERT_TRUE(Create(MakeTestSpec(10), &again, request).ok()) << "a retry is the first call";
  EXPECT_EQ(again.uid(), first.uid());
  const WireError reused(Create(MakeTestSpec(11), &again, request));
  EXPECT_EQ(reused.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(reused.reason, reason::kRequestIdReused);
  EXPECT_EQ(reused.metadata.at("first_name"), first.name());
  request.clear_request_id();
  const WireError exists(Create(MakeTestSpec(10), &again, request));
  EXPECT_EQ(exists.code, grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(exists.reason, reason::kSimulationExists);
  EXPECT_EQ(exists.metadata.at("spec_digest"), first.spec_digest());
}

TEST_F(ServerTest, ErrorServerOverloaded) {
  ServerOptions options = TestOptions();
  options.max_queued = 1;
  Start(options);
  v1::Simulation out;
  std::vector<v1::Simulation> seen;
  const std::string running = CreateOk(MakeEndlessSpec());
  Watch(running, &seen, v1::Simulation::RUNNING);
  CreateOk(MakeEndlessSpec());
  const WireError error(Create(MakeTestSpec(10), &out));
  EXPECT_EQ(error.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(error.reason, reason::kServerOverloaded);
  EXPECT_EQ(error.metadata.at("limit"), "max_queued_simulations");
  EXPECT_TRUE(error.retryable);
}

TEST_F(ServerTest, ErrorStorageFull) {
  ServerOptions options = TestOptions();
  options.max_stored = 1;
  Start(options);
  CreateOk(MakeEndlessSpec());
  v1::Simulation out;
  const WireError error(Create(MakeTestSpec(10), &out));
  EXPECT_EQ(error.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(error.reason, reason::kStorageFull);
  EXPECT_TRUE(error.retryable);
}

TEST_F(ServerTest, ErrorSimulationActiveEtagMismatchReportNotReady) {
  Start();
  const std::string name = CreateOk(MakeEndlessSpec());
  v1::DeleteSimulationRequest remove;
  remove.set_name(name);
  google::protobuf::Empty nothing;
  const WireError active(Call(&Stub::DeleteSimulation, remove, &nothing));
  EXPECT_EQ(active.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(active.reason, reason::kSimulationActive);
  v1::GetReportRequest report_request;
  report_request.set_name(name);
  v1::Report report;
  const WireError not_ready(Call(&Stub::GetReport, report_request, &report));
  EXPECT_EQ(not_ready.code, grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(not_ready.reason, reason::kReportNotReady);
  remove.set_etag("\"nothing\"");
  remove.set_force(true);
  const WireError etag(Call(&Stub::DeleteSimulation, remove, &nothing));
  EXPECT_EQ(etag.code, grpc::StatusCode::ABORTED);
  EXPECT_EQ(etag.reason, reason::kEtagMismatch);
  remove.clear_etag();
  EXPECT_TRUE(Call(&Stub::DeleteSimulation, remove, &nothing).ok());
}

TEST_F(ServerTest, CancelIsIdempotent) {
  Start();
  const std::string name = CreateOk(MakeEndlessSpec());
  v1::Simulation cancelled;
  ASSERT_TRUE(Cancel(name, &cancelled).ok());
  const v1::Simulation ended = WaitUntilEnded(name);
  EXPECT_EQ(ended.state(), v1::Simulation::CANCELLED);
  EXPECT_EQ(ended.cancel_reason(), "test");
  v1::Simulation again;
  ASSERT_TRUE(Cancel(name, &again).ok());
  EXPECT_EQ(again.etag(), ended.etag());
}

TEST_F(ServerTest, PassedDeadlinesAreNotServed) {
  Start();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() - std::chrono::seconds(1));
  v1::GetSimulationRequest request;
  v1::Simulation out;
  EXPECT_EQ(simulations_->GetSimulation(&context, request, &out).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(ServerTest, ManyClientsAtOnce) {
  ServerOptions options = TestOptions();
  options.threads = 2;
  options.max_running = 4;
  Start(options);
  std::vector<std::thread> clients;
  std::atomic<int> succeeded = 0;
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        const v1::Simulation done = WaitUntilEnded(CreateOk(MakeTestSpec(200)));
        if (done.state() == v1::Simulation::SUCCEEDED) ++succeeded;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(succeeded, 40);
}

TEST_F(ServerTest, MetricsEqualTheFacts) {
  Start();
  WaitUntilEnded(CreateOk(MakeTestSpec(50)));
  const std::string endless = CreateOk(MakeEndlessSpec());
  v1::Simulation out;
  ASSERT_TRUE(Cancel(endless, &out).ok());
  WaitUntilEnded(endless);
  Get("tenants/default/simulations/none", &out);
  httplib::Client admin("127.0.0.1", server_->admin_port());
  const std::string metrics = admin.Get("/metrics")->body;
  for (const char* line :
       {"tokensim_simulations_accepted_total 2",
        "tokensim_simulations_finished_total{state=\"SUCCEEDED\"} 1",
        "tokensim_simulations_finished_total{state=\"CANCELLED\"} 1",
        "tokensim_simulations{state=\"SUCCEEDED\"} 1", "tokensim_queue_depth 0",
        "grpc_server_started_total{grpc_method=\"CreateSimulation\","
        "grpc_service=\"tokensim.v1.SimulationService\",grpc_type=\"unary\"} 2",
        "grpc_server_handled_total{grpc_code=\"NotFound\",grpc_method=\"GetSimulation\","
        "grpc_service=\"tokensim.v1.SimulationService\",grpc_type=\"unary\"} 1"}) {
    EXPECT_THAT(metrics, HasSubstr(line));
  }
}

TEST_F(ServerTest, RefusesAddressesThatAreNotSafe) {
  ServerOptions options = TestOptions();
  options.listen = "0.0.0.0:0";
  EXPECT_EQ(Server::Start(options).status().code(), absl::StatusCode::kInvalidArgument);
  options.insecure_bind = true;
  EXPECT_TRUE(Server::Start(options).ok());
  options.listen = "nonsense";
  EXPECT_EQ(Server::Start(options).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ServerTest, SaysWhenAPortIsTaken) {
  Start();
  ServerOptions options = TestOptions();
  options.listen = "127.0.0.1:" + std::to_string(server_->grpc_port());
  const auto second = Server::Start(options);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use"));
}

TEST_F(ServerTest, DrainsInOrder) {
  ServerOptions options = TestOptions();
  options.drain_delay = std::chrono::hours(1);
  Start(options);
  httplib::Client admin("127.0.0.1", server_->admin_port());
  EXPECT_EQ(admin.Get("/readyz")->status, 200);
  CreateOk(MakeEndlessSpec());
  std::thread shutdown([this] { server_->Shutdown(); });
  while (admin.Get("/readyz")->status != 503) std::this_thread::yield();
  // Balancers may still send work during the delay.
  CreateOk(MakeTestSpec(10));
  server_->Hurry();
  shutdown.join();
  v1::Simulation out;
  EXPECT_EQ(Get("tenants/default/simulations/none", &out).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace tokensim
