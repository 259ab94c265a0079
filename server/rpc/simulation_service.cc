#include "server/rpc/simulation_service.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <memory>
#include <string>
#include <utility>

#include "server/rpc/sink_reactor.h"
#include "server/session/watch_driver.h"
#include "server/stream/stream_driver.h"

namespace tokensim {
namespace {

// Tells the body of one create request from another's; the request_id is left out.
std::string BodyDigest(const v1::CreateSimulationRequest& request) {
  v1::CreateSimulationRequest body = request;
  body.clear_request_id();
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);  // maps in order
    body.SerializeToCodedStream(&coded);
  }
  uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return std::to_string(bytes.size()) + ":" + std::to_string(hash);
}

CreateParams ToParams(const v1::CreateSimulationRequest& request) {
  CreateParams params;
  params.parent = request.parent();
  params.simulation_id = request.simulation_id();
  if (request.simulation().has_spec()) params.spec = &request.simulation().spec();
  params.labels = {request.simulation().labels().begin(), request.simulation().labels().end()};
  params.request_id = request.request_id();
  if (!params.request_id.empty()) params.request_digest = BodyDigest(request);
  params.validate_only = request.validate_only();
  return params;
}

template <typename T, typename Message>
absl::Status Move(absl::StatusOr<T> result, Message* response) {
  if (!result.ok()) return result.status();
  *response = *std::move(result);
  return absl::OkStatus();
}

std::chrono::nanoseconds ToDuration(const google::protobuf::Duration& duration) {
  return std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos());
}

absl::StatusOr<StreamOptions> ToStreamOptions(const v1::Delivery& delivery) {
  StreamOptions options;
  if (!delivery.has_max_batch_delay()) return options;
  const google::protobuf::Duration& delay = delivery.max_batch_delay();
  // Seconds are bounded before they are multiplied.
  if (delay.seconds() < 0 || delay.seconds() > 10 ||
      ToDuration(delay) < std::chrono::milliseconds(1) ||
      ToDuration(delay) > std::chrono::seconds(10)) {
    return InvalidField("delivery.max_batch_delay", "must be in 1 ms .. 10 s; absent: 50 ms");
  }
  options.max_batch_delay = ToDuration(delay);
  return options;
}

ReplayOptions ToReplayOptions(const v1::StreamEventsRequest& request) {
  ReplayOptions options;
  options.after_sequence = request.after_sequence();
  options.until_sequence = request.until_sequence();
  options.filter = request.filter();
  if (request.delivery().max_batch_bytes() != 0) {
    options.max_batch_bytes = request.delivery().max_batch_bytes();
  }
  return options;
}

constexpr char kService[] = "tokensim.v1.SimulationService";

}  // namespace

SimulationServiceImpl::SimulationServiceImpl(const Dependencies& dependencies,
                                             ServerMetrics& metrics)
    : to_(dependencies),
      create_(metrics.AddMethod(kService, "CreateSimulation", false)),
      get_(metrics.AddMethod(kService, "GetSimulation", false)),
      list_(metrics.AddMethod(kService, "ListSimulations", false)),
      cancel_(metrics.AddMethod(kService, "CancelSimulation", false)),
      delete_(metrics.AddMethod(kService, "DeleteSimulation", false)),
      estimate_(metrics.AddMethod(kService, "EstimateSimulation", false)),
      get_report_(metrics.AddMethod(kService, "GetReport", false)),
      watch_(metrics.AddMethod(kService, "WatchSimulation", true)),
      stream_(metrics.AddMethod(kService, "StreamEvents", true)) {}

grpc::ServerUnaryReactor* SimulationServiceImpl::CreateSimulation(
    grpc::CallbackServerContext* context, const v1::CreateSimulationRequest* request,
    v1::Simulation* response) {
  return ServeUnary(to_.calls, create_, context, request, response,
                    [this](const v1::CreateSimulationRequest& in, v1::Simulation* out) {
                      return Move(to_.sessions.Create(ToParams(in)), out);
                    });
}

grpc::ServerUnaryReactor* SimulationServiceImpl::GetSimulation(
    grpc::CallbackServerContext* context, const v1::GetSimulationRequest* request,
    v1::Simulation* response) {
  return ServeUnary(to_.calls, get_, context, request, response,
                    [this](const v1::GetSimulationRequest& in, v1::Simulation* out) {
                      const auto name = ParseSimulationName(in.name());
                      if (!name.ok()) return name.status();
                      return Move(to_.sessions.Get(*name), out);
                    });
}

grpc::ServerUnaryReactor* SimulationServiceImpl::ListSimulations(
    grpc::CallbackServerContext* context, const v1::ListSimulationsRequest* request,
    v1::ListSimulationsResponse* response) {
  return ServeUnary(to_.calls, list_, context, request, response,
                    [this](const v1::ListSimulationsRequest& in, v1::ListSimulationsResponse* out) {
                      absl::StatusOr<ListPage> page = to_.sessions.List(
                          {in.parent(), in.filter(), in.page_size(), in.page_token()});
                      if (!page.ok()) return page.status();
                      for (v1::Simulation& simulation : page->simulations) {
                        *out->add_simulations() = std::move(simulation);
                      }
                      out->set_next_page_token(page->next_page_token);
                      return absl::OkStatus();
                    });
}

grpc::ServerUnaryReactor* SimulationServiceImpl::CancelSimulation(
    grpc::CallbackServerContext* context, const v1::CancelSimulationRequest* request,
    v1::Simulation* response) {
  return ServeUnary(to_.calls, cancel_, context, request, response,
                    [this](const v1::CancelSimulationRequest& in, v1::Simulation* out) {
                      const auto name = ParseSimulationName(in.name());
                      if (!name.ok()) return name.status();
                      return Move(to_.sessions.Cancel(*name, in.reason()), out);
                    });
}

grpc::ServerUnaryReactor* SimulationServiceImpl::DeleteSimulation(
    grpc::CallbackServerContext* context, const v1::DeleteSimulationRequest* request,
    google::protobuf::Empty* response) {
  return ServeUnary(to_.calls, delete_, context, request, response,
                    [this](const v1::DeleteSimulationRequest& in, google::protobuf::Empty*) {
                      const auto name = ParseSimulationName(in.name());
                      if (!name.ok()) return name.status();
                      return to_.sessions.Delete(*name, in.etag(), in.force());
                    });
}

grpc::ServerUnaryReactor* SimulationServiceImpl::EstimateSimulation(
    grpc::CallbackServerContext* context, const v1::EstimateSimulationRequest* request,
    v1::Estimate* response) {
  return ServeUnary(to_.calls, estimate_, context, request, response,
                    [this](const v1::EstimateSimulationRequest& in, v1::Estimate* out) {
                      *out = to_.sessions.Estimate(in.spec());
                      return absl::OkStatus();
                    });
}

grpc::ServerUnaryReactor* SimulationServiceImpl::GetReport(grpc::CallbackServerContext* context,
                                                           const v1::GetReportRequest* request,
                                                           v1::Report* response) {
  return ServeUnary(to_.calls, get_report_, context, request, response,
                    [this](const v1::GetReportRequest& in, v1::Report* out) {
                      const auto name = ParseSimulationName(in.name());
                      if (!name.ok()) return name.status();
                      const auto report = to_.sessions.GetReport(*name);
                      if (!report.ok()) return report.status();
                      *out = **report;
                      return absl::OkStatus();
                    });
}

grpc::ServerWriteReactor<v1::Simulation>* SimulationServiceImpl::WatchSimulation(
    grpc::CallbackServerContext* context, const v1::WatchSimulationRequest* request) {
  using Reactor = SinkReactor<v1::Simulation>;
  absl::StatusOr<SimulationName> name = ParseSimulationName(request->name());
  if (!name.ok()) return Reactor::Refuse(watch_, to_.calls.clock, context, name.status());
  return Reactor::Serve(to_.watch_streams, watch_, to_.calls.clock, context,
                        [&](std::shared_ptr<StreamSink<v1::Simulation>> sink) {
                          return std::make_shared<WatchDriver>(*std::move(name), to_.sessions,
                                                               to_.calls.executor, to_.calls.clock,
                                                               std::move(sink));
                        });
}

grpc::ServerWriteReactor<v1::EventBatch>* SimulationServiceImpl::StreamEvents(
    grpc::CallbackServerContext* context, const v1::StreamEventsRequest* request) {
  using Reactor = SinkReactor<v1::EventBatch>;
  absl::StatusOr<SimulationName> name = ParseSimulationName(request->name());
  if (!name.ok()) return Reactor::Refuse(stream_, to_.calls.clock, context, name.status());
  const absl::StatusOr<StreamOptions> options = ToStreamOptions(request->delivery());
  if (!options.ok()) return Reactor::Refuse(stream_, to_.calls.clock, context, options.status());
  // Looking up, compiling and simulating happen on the executor.
  auto open = [this, name = *std::move(name), replay = ToReplayOptions(*request)] {
    return to_.sessions.OpenReplay(name, replay);
  };
  return Reactor::Serve(to_.event_streams, stream_, to_.calls.clock, context,
                        [&](std::shared_ptr<StreamSink<v1::EventBatch>> sink) {
                          return std::make_shared<StreamDriver>(std::move(open), *options,
                                                                to_.stream_executor,
                                                                to_.calls.clock, std::move(sink));
                        });
}

}  // namespace tokensim
