// tokensim.v1.SimulationService over a SessionManager.
#pragma once

#include "server/rpc/stream_registry.h"
#include "server/rpc/unary_call.h"
#include "server/session/session_manager.h"
#include "tokensim/v1/simulation_service.grpc.pb.h"

namespace tokensim {

class SimulationServiceImpl final : public v1::SimulationService::CallbackService {
 public:
  // All outlive the service.
  struct Dependencies {
    SessionManager& sessions;
    CallEnvironment calls;      // unary calls and watches
    Executor& stream_executor;  // event streams
    StreamRegistry& event_streams;
    StreamRegistry& watch_streams;
  };

  SimulationServiceImpl(const Dependencies& dependencies, ServerMetrics& metrics);

  grpc::ServerUnaryReactor* CreateSimulation(grpc::CallbackServerContext* context,
                                             const v1::CreateSimulationRequest* request,
                                             v1::Simulation* response) override;
  grpc::ServerUnaryReactor* GetSimulation(grpc::CallbackServerContext* context,
                                          const v1::GetSimulationRequest* request,
                                          v1::Simulation* response) override;
  grpc::ServerUnaryReactor* ListSimulations(grpc::CallbackServerContext* context,
                                            const v1::ListSimulationsRequest* request,
                                            v1::ListSimulationsResponse* response) override;
  grpc::ServerUnaryReactor* CancelSimulation(grpc::CallbackServerContext* context,
                                             const v1::CancelSimulationRequest* request,
                                             v1::Simulation* response) override;
  grpc::ServerUnaryReactor* DeleteSimulation(grpc::CallbackServerContext* context,
                                             const v1::DeleteSimulationRequest* request,
                                             google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* EstimateSimulation(grpc::CallbackServerContext* context,
                                               const v1::EstimateSimulationRequest* request,
                                               v1::Estimate* response) override;
  grpc::ServerUnaryReactor* GetReport(grpc::CallbackServerContext* context,
                                      const v1::GetReportRequest* request,
                                      v1::Report* response) override;
  grpc::ServerUnaryReactor* GetReportPage(grpc::CallbackServerContext* context,
                                          const v1::GetReportPageRequest* request,
                                          v1::ReportPage* response) override;
  grpc::ServerWriteReactor<v1::Simulation>* WatchSimulation(
      grpc::CallbackServerContext* context, const v1::WatchSimulationRequest* request) override;
  grpc::ServerWriteReactor<v1::EventBatch>* StreamEvents(
      grpc::CallbackServerContext* context, const v1::StreamEventsRequest* request) override;

 private:
  const Dependencies to_;
  const MethodMetrics create_;
  const MethodMetrics get_;
  const MethodMetrics list_;
  const MethodMetrics cancel_;
  const MethodMetrics delete_;
  const MethodMetrics estimate_;
  const MethodMetrics get_report_;
  const MethodMetrics get_report_page_;
  const MethodMetrics watch_;
  const MethodMetrics stream_;
};

}  // namespace tokensim
