#include "server/http/downloads.h"

#include <functional>
#include <set>
#include <utility>

#include "engine/io/perfetto/trace_writer.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/util/json_util.h"
#include "server/http/connect_error.h"
#include "server/http/event_formats.h"
#include "server/http/event_query.h"

namespace tokensim::http {
namespace {

constexpr std::string_view kPrefix = "/v1/";

// The schema of the API with all that it imports, imports first.
std::string DescribeSchema() {
  google::protobuf::FileDescriptorSet set;
  std::set<std::string> added;
  const std::function<void(const google::protobuf::FileDescriptor*)> add =
      [&](const google::protobuf::FileDescriptor* file) {
        if (!added.insert(file->name()).second) return;
        for (int i = 0; i < file->dependency_count(); ++i) add(file->dependency(i));
        file->CopyTo(set.add_file());
      };
  add(v1::GetSimulationRequest::descriptor()->file());
  add(v1::GetCatalogRequest::descriptor()->file());
  add(v1::GetServerInfoRequest::descriptor()->file());
  return set.SerializeAsString();
}

// "tenants/t/simulations/x" and "events.jsonl" of a path.
struct Place {
  std::string name;
  std::string_view file;
};

Place PlaceOf(std::string_view path) {
  path.remove_prefix(kPrefix.size());
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {"", path};
  std::string name(path.substr(0, slash));
  if (name.starts_with("simulations/")) name = std::string("tenants/default/") + name;
  return {name, path.substr(slash + 1)};
}

Response NotFound(std::string_view path) {
  return ErrorResponse(
      404, MakeError(absl::StatusCode::kNotFound, reason::kRequestInvalid,
                     "there is no " + std::string(path.substr(0, 200)) + "; see docs/http.md"));
}

// Looked up when the stream is opened, on the executor.
absl::Status ReadNames(const Api& api, const std::string& name, RunNames* out) {
  v1::GetSimulationRequest get;
  get.set_name(name);
  v1::Simulation simulation;
  const absl::Status status = api.get_simulation.handler(get, &simulation);
  if (!status.ok()) return status;
  for (const auto& worker : simulation.report().workers()) out->workers.push_back(worker.name());
  for (const auto& client : simulation.spec().workload().classes()) {
    out->classes.push_back(client.name());
  }
  return absl::OkStatus();
}

void KeepEndsOfRequests(v1::EventFilter* filter) {
  filter->clear_kinds();
  filter->add_kinds(v1::EVENT_KIND_REQUEST_FINISHED);
  filter->add_kinds(v1::EVENT_KIND_REQUEST_REJECTED);
}

}  // namespace

Downloads::Downloads(const Api& api) : api_(api), schema_(DescribeSchema()) {}

bool Downloads::Owns(std::string_view path) { return path.starts_with(kPrefix); }

void Downloads::Serve(const std::shared_ptr<Exchange>& exchange) const {
  const Request& request = exchange->request();
  if (request.method != "GET") {
    Response out = TextResponse(405, "use GET");
    out.headers.emplace_back("Allow", "GET");
    return exchange->Answer(std::move(out));
  }
  const Place place = PlaceOf(request.target.path);
  if (place.name.empty() && place.file == "descriptor.pb") {
    Response out;
    out.headers = {{"Content-Type", "application/x-protobuf"}, {"Cache-Control", "no-cache"}};
    out.body = schema_;
    return exchange->Answer(std::move(out));
  }
  const auto name = ParseSimulationName(place.name);
  if (!name.ok()) return exchange->Answer(NotFound(request.target.path));
  if (place.file == "report.json") return ServeReport(exchange, place.name);
  if (!ServeEvents(exchange, place.name, place.file)) {
    exchange->Answer(NotFound(request.target.path));
  }
}

void Downloads::ServeReport(const std::shared_ptr<Exchange>& exchange,
                            const std::string& name) const {
  struct Messages {
    v1::GetReportRequest request;
    v1::Report report;
  };
  const auto messages = std::make_shared<Messages>();
  messages->request.set_name(name);
  ServeCall(
      api_.get_report, &messages->request, &messages->report,
      [exchange] { return exchange->gone() ? CallCancelled() : absl::OkStatus(); },
      [exchange, messages](const absl::Status& status) {
        if (!status.ok()) return exchange->Answer(ErrorResponse(status));
        google::protobuf::util::JsonPrintOptions options;
        options.preserve_proto_field_names = true;
        options.always_print_primitive_fields = true;
        options.add_whitespace = true;
        Response out;
        out.headers = {{"Content-Type", kJsonType}, {"Cache-Control", "no-store"}};
        try {
          (void)google::protobuf::util::MessageToJsonString(messages->report, &out.body, options);
        } catch (...) {
          out = ErrorResponse(CaughtError());
        }
        exchange->Answer(std::move(out));
      });
}

bool Downloads::ServeEvents(const std::shared_ptr<Exchange>& exchange, const std::string& name,
                            std::string_view file) const {
  v1::StreamEventsRequest request;
  request.set_name(name);
  const absl::Status bad = ReadEventQuery(exchange->request().target, &request);
  const auto names = std::make_shared<RunNames>();
  const std::string file_name = name.substr(name.rfind('/') + 1) + "-" + std::string(file);
  EventFormat format;
  if (file == "events.jsonl") {
    format = EventLines(file_name);
  } else if (file == "requests.csv" || file == "requests.jsonl") {
    KeepEndsOfRequests(request.mutable_filter());
    format = RequestRows(
        file_name, file == "requests.csv" ? TableFormat::kCsv : TableFormat::kJsonLines, names);
  } else if (file == "trace.pftrace") {
    for (const v1::EventKind kind : TraceEventKinds()) request.mutable_filter()->add_kinds(kind);
    format = PerfettoTrace(file_name, names);
  } else {
    return false;
  }
  if (!bad.ok()) {
    exchange->Answer(ErrorResponse(bad));
    return true;
  }
  StreamAnswer<v1::EventBatch>::Serve<v1::StreamEventsRequest>(
      api_.stream_events, exchange,
      [this, request = std::move(request), names](v1::StreamEventsRequest* out) {
        *out = request;
        return ReadNames(api_, request.name(), names.get());
      },
      std::move(format));
  return true;
}

}  // namespace tokensim::http
