// The services of tokensim.v1 as gRPC knows them: each method is one of the API.
#pragma once

#include "server/api/api.h"
#include "server/rpc/sink_reactor.h"
#include "server/rpc/unary_call.h"
#include "tokensim/v1/catalog_service.grpc.pb.h"
#include "tokensim/v1/server_service.grpc.pb.h"
#include "tokensim/v1/simulation_service.grpc.pb.h"

namespace tokensim {

class SimulationServiceImpl final : public v1::SimulationService::CallbackService {
 public:
  explicit SimulationServiceImpl(const Api& api) : api_(api) {}

  grpc::ServerUnaryReactor* CreateSimulation(grpc::CallbackServerContext* context,
                                             const v1::CreateSimulationRequest* request,
                                             v1::Simulation* response) override {
    return ServeUnary(api_.create_simulation, context, request, response);
  }
  grpc::ServerUnaryReactor* GetSimulation(grpc::CallbackServerContext* context,
                                          const v1::GetSimulationRequest* request,
                                          v1::Simulation* response) override {
    return ServeUnary(api_.get_simulation, context, request, response);
  }
  grpc::ServerUnaryReactor* ListSimulations(grpc::CallbackServerContext* context,
                                            const v1::ListSimulationsRequest* request,
                                            v1::ListSimulationsResponse* response) override {
    return ServeUnary(api_.list_simulations, context, request, response);
  }
  grpc::ServerUnaryReactor* CancelSimulation(grpc::CallbackServerContext* context,
                                             const v1::CancelSimulationRequest* request,
                                             v1::Simulation* response) override {
    return ServeUnary(api_.cancel_simulation, context, request, response);
  }
  grpc::ServerUnaryReactor* DeleteSimulation(grpc::CallbackServerContext* context,
                                             const v1::DeleteSimulationRequest* request,
                                             google::protobuf::Empty* response) override {
    return ServeUnary(api_.delete_simulation, context, request, response);
  }
  grpc::ServerUnaryReactor* EstimateSimulation(grpc::CallbackServerContext* context,
                                               const v1::EstimateSimulationRequest* request,
                                               v1::Estimate* response) override {
    return ServeUnary(api_.estimate_simulation, context, request, response);
  }
  grpc::ServerUnaryReactor* GetReport(grpc::CallbackServerContext* context,
                                      const v1::GetReportRequest* request,
                                      v1::Report* response) override {
    return ServeUnary(api_.get_report, context, request, response);
  }
  grpc::ServerUnaryReactor* GetReportPage(grpc::CallbackServerContext* context,
                                          const v1::GetReportPageRequest* request,
                                          v1::ReportPage* response) override {
    return ServeUnary(api_.get_report_page, context, request, response);
  }
  grpc::ServerWriteReactor<v1::Simulation>* WatchSimulation(
      grpc::CallbackServerContext* context, const v1::WatchSimulationRequest* request) override {
    return SinkReactor<v1::Simulation>::Serve(api_.watch_simulation, context, *request);
  }
  grpc::ServerWriteReactor<v1::EventBatch>* StreamEvents(
      grpc::CallbackServerContext* context, const v1::StreamEventsRequest* request) override {
    return SinkReactor<v1::EventBatch>::Serve(api_.stream_events, context, *request);
  }

 private:
  const Api& api_;
};

class CatalogServiceImpl final : public v1::CatalogService::CallbackService {
 public:
  explicit CatalogServiceImpl(const Api& api) : api_(api) {}

  grpc::ServerUnaryReactor* GetCatalog(grpc::CallbackServerContext* context,
                                       const v1::GetCatalogRequest* request,
                                       v1::Catalog* response) override {
    return ServeUnary(api_.get_catalog, context, request, response);
  }

 private:
  const Api& api_;
};

class ServerServiceImpl final : public v1::ServerService::CallbackService {
 public:
  explicit ServerServiceImpl(const Api& api) : api_(api) {}

  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context,
                                          const v1::GetServerInfoRequest* request,
                                          v1::ServerInfo* response) override {
    return ServeUnary(api_.get_server_info, context, request, response);
  }

 private:
  const Api& api_;
};

}  // namespace tokensim
