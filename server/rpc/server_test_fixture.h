// A server in the test's process, on a port of its own, and a client of it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "server/rpc/server.h"
#include "server/session/session_test_spec.h"
#include "tokensim/v1/catalog_service.grpc.pb.h"
#include "tokensim/v1/server_service.grpc.pb.h"
#include "tokensim/v1/simulation_service.grpc.pb.h"

namespace tokensim {

// The google.rpc details of a failed call.
struct WireError {
  explicit WireError(const grpc::Status& status) : code(status.error_code()) {
    google::rpc::Status details;
    EXPECT_TRUE(details.ParseFromString(status.error_details()));
    if (status.ok()) return;
    EXPECT_EQ(details.code(), static_cast<int>(code));
    EXPECT_EQ(details.message(), status.error_message());
    for (const auto& any : details.details()) {
      google::rpc::ErrorInfo info;
      google::rpc::RetryInfo retry;
      if (any.UnpackTo(&info)) {
        reason = info.reason();
        metadata = {info.metadata().begin(), info.metadata().end()};
        EXPECT_EQ(info.domain(), "tokensim.dev");
      }
      if (any.UnpackTo(&retry)) retryable = true;
      any.UnpackTo(&bad_request);
    }
  }

  grpc::StatusCode code;
  std::string reason;
  std::map<std::string, std::string> metadata;
  google::rpc::BadRequest bad_request;
  bool retryable = false;
};

class ServerTest : public ::testing::Test {
 protected:
  static ServerOptions TestOptions() {
    ServerOptions options;
    options.listen = "127.0.0.1:0";
    options.admin = "127.0.0.1:0";
    options.http = "127.0.0.1:0";
    options.threads = 1;
    options.max_running = 1;
    options.stream_threads = 2;
    options.shutdown_timeout = std::chrono::milliseconds(500);
    return options;
  }
  void Start(const ServerOptions& options = TestOptions()) {
    auto server = Server::Start(options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = NewChannel();
    simulations_ = v1::SimulationService::NewStub(channel_);
  }
  [[nodiscard]] std::shared_ptr<grpc::Channel> NewChannel() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // a reader that stalls is one soon
    return grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(server_->grpc_port()),
                                     grpc::InsecureChannelCredentials(), arguments);
  }

  template <typename Request, typename Response>
  grpc::Status Call(grpc::Status (v1::SimulationService::Stub::*method)(grpc::ClientContext*,
                                                                        const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    return (simulations_.get()->*method)(&context, request, response);
  }
  grpc::Status Create(const v1::Spec& spec, v1::Simulation* out,
                      v1::CreateSimulationRequest request = {}) {
    *request.mutable_simulation()->mutable_spec() = spec;
    return Call(&v1::SimulationService::Stub::CreateSimulation, request, out);
  }
  std::string CreateOk(const v1::Spec& spec) {
    v1::Simulation simulation;
    const grpc::Status status = Create(spec, &simulation);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return simulation.name();
  }
  grpc::Status Get(const std::string& name, v1::Simulation* out) {
    v1::GetSimulationRequest request;
    request.set_name(name);
    return Call(&v1::SimulationService::Stub::GetSimulation, request, out);
  }
  grpc::Status Cancel(const std::string& name, v1::Simulation* out) {
    v1::CancelSimulationRequest request;
    request.set_name(name);
    request.set_reason("test");
    return Call(&v1::SimulationService::Stub::CancelSimulation, request, out);
  }
  // Every message of a watch.
  grpc::Status Watch(const std::string& name, std::vector<v1::Simulation>* out,
                     v1::Simulation::State until = v1::Simulation::STATE_UNSPECIFIED) {
    grpc::ClientContext context;
    v1::WatchSimulationRequest request;
    request.set_name(name);
    const auto reader = simulations_->WatchSimulation(&context, request);
    v1::Simulation simulation;
    while (reader->Read(&simulation)) {
      out->push_back(simulation);
      if (simulation.state() == until) context.TryCancel();
    }
    return reader->Finish();
  }
  v1::Simulation WaitUntilEnded(const std::string& name) {
    std::vector<v1::Simulation> seen;
    EXPECT_TRUE(Watch(name, &seen).ok());
    return seen.empty() ? v1::Simulation() : seen.back();
  }

  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::SimulationService::Stub> simulations_;
};

}  // namespace tokensim
