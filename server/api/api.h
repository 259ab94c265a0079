// The API of the server: every RPC of tokensim.v1, free of what it travels by.
//
//   Api api({sessions, calls, streams, event_streams, watch_streams, info}, metrics);
//   api.ForEachMethod([&](const auto& method) { door.Add(method); });
//
// A method decides nothing by itself: it unpacks, asks a session and packs. To add one: a member, its
// handler in api.cc, and its line in ForEachMethod. Thread-safe.
#pragma once

#include <functional>

#include "google/protobuf/empty.pb.h"
#include "server/api/call.h"
#include "server/session/session_manager.h"
#include "tokensim/v1/catalog_service.pb.h"
#include "tokensim/v1/server_service.pb.h"
#include "tokensim/v1/simulation_service.pb.h"

namespace tokensim {

class Api {
 public:
  // All outlive the API.
  struct Dependencies {
    SessionManager& sessions;
    CallEnvironment calls;      // unary calls and watches
    Executor& stream_executor;  // event streams
    StreamRegistry& event_streams;
    StreamRegistry& watch_streams;
    std::function<v1::ServerInfo()> info;  // called for each answer, on the executor
  };

  Api(const Dependencies& dependencies, ServerMetrics& metrics);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  const UnaryMethod<v1::CreateSimulationRequest, v1::Simulation> create_simulation;
  const UnaryMethod<v1::GetSimulationRequest, v1::Simulation> get_simulation;
  const UnaryMethod<v1::ListSimulationsRequest, v1::ListSimulationsResponse> list_simulations;
  const UnaryMethod<v1::CancelSimulationRequest, v1::Simulation> cancel_simulation;
  const UnaryMethod<v1::DeleteSimulationRequest, google::protobuf::Empty> delete_simulation;
  const UnaryMethod<v1::EstimateSimulationRequest, v1::Estimate> estimate_simulation;
  const UnaryMethod<v1::GetReportRequest, v1::Report> get_report;
  const UnaryMethod<v1::GetReportPageRequest, v1::ReportPage> get_report_page;
  const StreamMethod<v1::WatchSimulationRequest, v1::Simulation> watch_simulation;
  const StreamMethod<v1::StreamEventsRequest, v1::EventBatch> stream_events;
  const UnaryMethod<v1::GetCatalogRequest, v1::Catalog> get_catalog;
  const UnaryMethod<v1::GetServerInfoRequest, v1::ServerInfo> get_server_info;

  template <typename Visit>
  void ForEachMethod(Visit&& visit) const {
    visit(create_simulation);
    visit(get_simulation);
    visit(list_simulations);
    visit(cancel_simulation);
    visit(delete_simulation);
    visit(estimate_simulation);
    visit(get_report);
    visit(get_report_page);
    visit(watch_simulation);
    visit(stream_events);
    visit(get_catalog);
    visit(get_server_info);
  }
};

}  // namespace tokensim
