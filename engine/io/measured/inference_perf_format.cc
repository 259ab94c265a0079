// inference-perf's per_request_lifecycle_metrics.json (reportgen/base.py): a list with an object per
// request, `start_time` and `end_time` in monotonic seconds, `info` with `input_tokens` and
// `output_token_times`; one that failed has an `error`.
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "engine/io/measured/bench_formats.h"
#include "engine/io/measured/json_values.h"
#include "engine/io/measured/run_builder.h"

namespace tokensim::accuracy {

namespace {

using nlohmann::json;

bool Detect(const json& document) {
  return document.is_array() && !document.empty() && document[0].is_object() &&
         document[0].contains("start_time") && document[0].contains("info");
}

bool Failed(const json& request) {
  const json* error = ValueAt(request, {"error"});
  return error != nullptr && !error->is_null();
}

absl::StatusOr<MeasuredRun> Read(const json& document, const std::string& name,
                                 std::optional<size_t> /*which*/) {
  RunBuilder builder(name);
  for (size_t i = 0; i < document.size(); ++i) {
    const json& request = document[i];
    if (Failed(request)) {
      builder.AddFailed();
      continue;
    }
    const auto fail = [&](absl::string_view what) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": request ", i, ": ", what));
    };
    const std::optional<double> start = NumberAt(request, {"start_time"});
    if (!start) return fail("has no start_time");
    const json& times = ListAt(request, {"info", "output_token_times"});
    const auto time = [&times](size_t index) -> std::optional<double> {
      if (index >= times.size() || !times[index].is_number()) return std::nullopt;
      return times[index].get<double>();
    };
    RunRow row{.arrival = *start,
               .first_token = time(0),
               .last_token = times.empty() ? std::nullopt : time(times.size() - 1),
               .input_tokens = NumberAt(request, {"info", "input_tokens"}).value_or(0)};
    if (!row.last_token) row.last_token = NumberAt(request, {"end_time"});
    // A chunk may hold several tokens.
    row.output_tokens =
        NumberAt(request, {"info", "output_tokens"}).value_or(static_cast<double>(times.size()));
    if (const absl::Status status = builder.Add(row); !status.ok()) return fail(status.message());
  }
  return builder.Take();
}

}  // namespace

const BenchFormat kInferencePerf = {"inference-perf", Detect, Read};

}  // namespace tokensim::accuracy
