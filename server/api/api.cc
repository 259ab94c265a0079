#include "server/api/api.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <memory>
#include <string>
#include <utility>

#include "engine/io/presets/catalog.h"
#include "server/session/watch_driver.h"
#include "server/stream/stream_driver.h"

namespace tokensim {
namespace {

constexpr char kSimulations[] = "tokensim.v1.SimulationService";
constexpr char kCatalog[] = "tokensim.v1.CatalogService";
constexpr char kServer[] = "tokensim.v1.ServerService";

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

absl::StatusOr<ResourceView> ToView(v1::SimulationView view) {
  switch (view) {
    case v1::SIMULATION_VIEW_UNSPECIFIED:
    case v1::SIMULATION_VIEW_STANDARD:
      return ResourceView::kStandard;
    case v1::SIMULATION_VIEW_BASIC:
      return ResourceView::kBasic;
    case v1::SIMULATION_VIEW_FULL:
      return ResourceView::kFull;
    default:
      return InvalidField("view", "must be BASIC, STANDARD or FULL");
  }
}

// Handlers of more than a line.

absl::Status GetSimulation(SessionManager& sessions, const v1::GetSimulationRequest& request,
                           v1::Simulation* response) {
  const auto name = ParseSimulationName(request.name());
  if (!name.ok()) return name.status();
  const auto view = ToView(request.view());
  if (!view.ok()) return view.status();
  return Move(sessions.Get(*name, *view), response);
}

absl::Status ListSimulations(SessionManager& sessions, const v1::ListSimulationsRequest& request,
                             v1::ListSimulationsResponse* response) {
  absl::StatusOr<ListPage> page = sessions.List(
      {request.parent(), request.filter(), request.page_size(), request.page_token()});
  if (!page.ok()) return page.status();
  for (v1::Simulation& simulation : page->simulations) {
    *response->add_simulations() = std::move(simulation);
  }
  response->set_next_page_token(page->next_page_token);
  return absl::OkStatus();
}

absl::Status CancelSimulation(SessionManager& sessions, const v1::CancelSimulationRequest& request,
                              v1::Simulation* response) {
  const auto name = ParseSimulationName(request.name());
  if (!name.ok()) return name.status();
  return Move(sessions.Cancel(*name, request.reason()), response);
}

absl::Status DeleteSimulation(SessionManager& sessions,
                              const v1::DeleteSimulationRequest& request) {
  const auto name = ParseSimulationName(request.name());
  if (!name.ok()) return name.status();
  return sessions.Delete(*name, request.etag(), request.force());
}

absl::Status GetReport(SessionManager& sessions, size_t max_bytes,
                       const v1::GetReportRequest& request, v1::Report* response) {
  const auto name = ParseSimulationName(request.name());
  if (!name.ok()) return name.status();
  const auto report = sessions.GetReport(*name);
  if (!report.ok()) return report.status();
  // Looked at before it is copied.
  const size_t bytes = (*report)->ByteSizeLong();
  if (bytes > max_bytes) return MessageTooLarge(bytes, max_bytes, "read it with GetReportPage");
  *response = **report;
  return absl::OkStatus();
}

absl::Status GetReportPage(SessionManager& sessions, const v1::GetReportPageRequest& request,
                           v1::ReportPage* response) {
  const auto name = ParseSimulationName(request.name());
  if (!name.ok()) return name.status();
  auto page = sessions.GetReportPage(*name, request.page_token());
  if (!page.ok()) return page.status();
  *response->mutable_part() = std::move(page->part);
  response->set_next_page_token(page->next_page_token);
  return absl::OkStatus();
}

using Opened = absl::StatusOr<std::shared_ptr<OpenStream>>;

Opened WatchSimulation(SessionManager& sessions, const CallEnvironment& calls,
                       const v1::WatchSimulationRequest& request,
                       std::shared_ptr<StreamSink<v1::Simulation>> sink) {
  absl::StatusOr<SimulationName> name = ParseSimulationName(request.name());
  if (!name.ok()) return name.status();
  return std::make_shared<WatchDriver>(*std::move(name), sessions, calls.executor, calls.clock,
                                       std::move(sink));
}

Opened StreamEvents(SessionManager& sessions, Executor& executor, const Clock& clock,
                    const v1::StreamEventsRequest& request,
                    std::shared_ptr<StreamSink<v1::EventBatch>> sink) {
  absl::StatusOr<SimulationName> name = ParseSimulationName(request.name());
  if (!name.ok()) return name.status();
  const absl::StatusOr<StreamOptions> options = ToStreamOptions(request.delivery());
  if (!options.ok()) return options.status();
  // Looking up, compiling and simulating happen on the executor.
  auto open = [&sessions, name = *std::move(name), replay = ToReplayOptions(request)] {
    return sessions.OpenReplay(name, replay);
  };
  return std::make_shared<StreamDriver>(std::move(open), *options, executor, clock,
                                        std::move(sink));
}

MethodInfo Info(const Api::Dependencies& to, ServerMetrics& metrics, const char* service,
                const char* method, bool streaming = false) {
  return {{service, method}, to.calls, metrics.AddMethod(service, method, streaming)};
}

}  // namespace

Api::Api(const Dependencies& to, ServerMetrics& metrics)
    : create_simulation{Info(to, metrics, kSimulations, "CreateSimulation"),
                        [&sessions = to.sessions](const auto& in, auto* out) {
                          return Move(sessions.Create(ToParams(in)), out);
                        }},
      get_simulation{Info(to, metrics, kSimulations, "GetSimulation"),
                     [&sessions = to.sessions](const auto& in, auto* out) {
                       return GetSimulation(sessions, in, out);
                     }},
      list_simulations{Info(to, metrics, kSimulations, "ListSimulations"),
                       [&sessions = to.sessions](const auto& in, auto* out) {
                         return ListSimulations(sessions, in, out);
                       }},
      cancel_simulation{Info(to, metrics, kSimulations, "CancelSimulation"),
                        [&sessions = to.sessions](const auto& in, auto* out) {
                          return CancelSimulation(sessions, in, out);
                        }},
      delete_simulation{Info(to, metrics, kSimulations, "DeleteSimulation"),
                        [&sessions = to.sessions](const auto& in, auto*) {
                          return DeleteSimulation(sessions, in);
                        }},
      estimate_simulation{Info(to, metrics, kSimulations, "EstimateSimulation"),
                          [&sessions = to.sessions](const auto& in, auto* out) {
                            *out = sessions.Estimate(in.spec());
                            return absl::OkStatus();
                          }},
      get_report{
          Info(to, metrics, kSimulations, "GetReport"),
          [&sessions = to.sessions, max_bytes = to.calls.max_answer_bytes](
              const auto& in, auto* out) { return GetReport(sessions, max_bytes, in, out); }},
      get_report_page{Info(to, metrics, kSimulations, "GetReportPage"),
                      [&sessions = to.sessions](const auto& in, auto* out) {
                        return GetReportPage(sessions, in, out);
                      }},
      watch_simulation{Info(to, metrics, kSimulations, "WatchSimulation", true), to.watch_streams,
                       [&sessions = to.sessions, calls = to.calls](const auto& in, auto sink) {
                         return WatchSimulation(sessions, calls, in, std::move(sink));
                       }},
      stream_events{Info(to, metrics, kSimulations, "StreamEvents", true), to.event_streams,
                    [&sessions = to.sessions, &executor = to.stream_executor,
                     &clock = to.calls.clock](const auto& in, auto sink) {
                      return StreamEvents(sessions, executor, clock, in, std::move(sink));
                    }},
      get_catalog{Info(to, metrics, kCatalog, "GetCatalog"),
                  [](const auto&, auto* out) {
                    *out = BuildCatalog();
                    return absl::OkStatus();
                  }},
      get_server_info{Info(to, metrics, kServer, "GetServerInfo"),
                      [info = to.info](const auto&, auto* out) {
                        *out = info();
                        return absl::OkStatus();
                      }} {}

}  // namespace tokensim
