#include "clients/cli/point_run.h"

#include "absl/strings/str_cat.h"
#include "engine/cluster/simulation.h"
#include "engine/io/report/encode.h"
#include "engine/report/notes.h"
#include "engine/report/report.h"

namespace tokensim::cli {

namespace {

// Engine events between two questions whether to stop: about 10 ms.
constexpr int64_t kSliceEvents = 50'000;

std::string FirstError(const PreparedSpec& prepared) {
  for (const v1::Finding& finding : prepared.findings) {
    if (finding.severity() == v1::Finding::WARNING) continue;
    return finding.field().empty() ? finding.message()
                                   : absl::StrCat(finding.field(), ": ", finding.message());
  }
  return "the spec is invalid";
}

}  // namespace

std::optional<LoadField> FindLoad(const v1::Spec& resolved) {
  const v1::Arrival& arrival = resolved.workload().arrival();
  const google::protobuf::Reflection& reflection = *arrival.GetReflection();
  const auto* process = reflection.GetOneofFieldDescriptor(
      arrival, arrival.GetDescriptor()->FindOneofByName("process"));
  if (process == nullptr) return std::nullopt;
  const std::string path = "workload.arrival." + process->name();
  if (arrival.has_closed_loop()) {
    return LoadField{path + ".users", static_cast<double>(arrival.closed_loop().users()), false};
  }
  const auto* rate = process->message_type()->FindFieldByName("rate_per_second");
  if (rate == nullptr) return std::nullopt;
  const google::protobuf::Message& message = reflection.GetMessage(arrival, process);
  return LoadField{path + ".rate_per_second", message.GetReflection()->GetDouble(message, rate),
                   true};
}

absl::Status Assign(const SpecInput& input, std::span<const search::Assignment> assignments,
                    v1::Spec* spec) {
  for (const search::Assignment& assignment : assignments) {
    std::string path = assignment.path;
    if (path == "rate") {
      const std::optional<LoadField> load = FindLoad(input.prepared.resolved);
      if (!load || !load->is_rate) {
        return absl::InvalidArgumentError("rate: the arrivals of this spec have no single rate");
      }
      path = load->path;
    }
    const absl::Status status = SetField(path, assignment.value, spec, &input.prepared.resolved);
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(assignment.path, "=", assignment.value, ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

PointRun RunSpec(const SpecInput& input, const v1::Spec& spec, const std::function<bool()>& stop) {
  PointRun run;
  const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::AnyPath(input.base_dir));
  if (!prepared.ok()) {
    run.error = FirstError(prepared);
    return run;
  }
  run.digest = prepared.digest;
  Simulation simulation(prepared.plan);
  while (!simulation.done()) {
    if (run.stopped = stop(); run.stopped) return run;
    const absl::Status status = simulation.Advance(kSliceEvents);
    if (!status.ok()) {
      run.error = std::string(status.message());
      return run;
    }
  }
  const Report report = BuildReport(*prepared.plan, simulation.results());
  run.saturated = IsSaturated(report, simulation.results());
  run.report = ToProto(report);
  return run;
}

PointRun RunPoint(const SpecInput& input, std::span<const search::Assignment> assignments,
                  const std::function<bool()>& stop) {
  PointRun run;
  v1::Spec spec = input.spec;
  if (const absl::Status status = Assign(input, assignments, &spec); !status.ok()) {
    run.error = std::string(status.message());
    return run;
  }
  return RunSpec(input, spec, stop);
}

}  // namespace tokensim::cli
