#include "clients/cli/subject.h"

#include <google/protobuf/util/json_util.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "clients/cli/point_run.h"
#include "clients/cli/spec_input.h"
#include "tokensim/v1/simulation.pb.h"

namespace tokensim::cli {

namespace {

absl::Status In(const std::string& name, absl::StatusCode code, absl::string_view message) {
  return {code, absl::StrCat(name, ": ", message)};
}

absl::Status FromJson(const std::string& name, const std::string& text,
                      google::protobuf::Message* message) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;  // of another version
  const auto status = google::protobuf::util::JsonStringToMessage(text, message, options);
  if (status.ok()) return absl::OkStatus();
  return In(name, absl::StatusCode::kInvalidArgument,
            std::string(status.message().data(), status.message().size()));
}

absl::StatusOr<Subject> FromSimulation(const std::string& name, v1::Simulation simulation) {
  if (!simulation.has_report()) {
    return In(
        name, absl::StatusCode::kInvalidArgument,
        absl::StrCat("has no report: it is ", v1::Simulation::State_Name(simulation.state())));
  }
  Subject subject{.name = name, .engine_version = simulation.engine_version()};
  subject.report = std::move(*simulation.mutable_report());
  subject.report.clear_execution();
  if (simulation.has_spec()) subject.spec = std::move(*simulation.mutable_spec());
  return subject;
}

absl::StatusOr<Subject> FromJsonFile(const std::string& name, const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return In(name, absl::StatusCode::kInvalidArgument, "is no JSON object");
  if (json.contains("report") || json.contains("state")) {
    v1::Simulation simulation;
    if (const absl::Status read = FromJson(name, text, &simulation); !read.ok()) return read;
    return FromSimulation(name, std::move(simulation));
  }
  if (!json.contains("throughput") || !json.contains("requests")) {
    return In(name, absl::StatusCode::kInvalidArgument,
              "is neither a report nor a simulation, as `tokensim run -o json` and `tokensim get "
              "-o json` print them");
  }
  Subject subject{.name = name};
  if (const absl::Status read = FromJson(name, text, &subject.report); !read.ok()) return read;
  subject.engine_version = subject.report.engine_version();
  subject.report.clear_execution();
  return subject;
}

absl::StatusOr<Subject> RunSpecFile(const std::string& name, bool quiet,
                                    const std::function<bool()>& stop) {
  SpecInput input;
  if (LoadSpec({.file = name}, quiet, &input) != ExitCode::kOk) {
    return In(name, absl::StatusCode::kInvalidArgument, "cannot be run");
  }
  PointRun run = RunSpec(input, input.spec, stop);
  if (run.stopped) return absl::CancelledError("interrupted");
  if (!run.error.empty()) return In(name, absl::StatusCode::kInternal, run.error);
  Subject subject{.name = name};
  subject.report = std::move(run.report);
  subject.spec = input.prepared.resolved;
  subject.engine_version = subject.report.engine_version();
  subject.base_dir = input.base_dir;
  return subject;
}

absl::StatusOr<Subject> FromServer(const std::string& name, const ServerOptions& server,
                                   bool quiet) {
  client::Client client(ToClientOptions(server, quiet));
  v1::GetSimulationRequest request;
  request.set_name(FullName(name));
  request.set_view(v1::SIMULATION_VIEW_FULL);
  client::Result<v1::Simulation> simulation = client.GetSimulation(request);
  if (simulation.ok()) return FromSimulation(name, std::move(simulation.value()));
  return In(name, absl::StatusCode::kUnavailable,
            absl::StrCat("no such file, and the server at ", server.server,
                         " says: ", simulation.error().message));
}

}  // namespace

absl::StatusOr<Subject> LoadSubject(const std::string& name, const ServerOptions& server,
                                    bool quiet, const std::function<bool()>& stop) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(name, ignored)) return FromServer(name, server, quiet);
  std::ifstream file(name);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && text[first] == '{') return FromJsonFile(name, text);
  return RunSpecFile(name, quiet, stop);
}

}  // namespace tokensim::cli
