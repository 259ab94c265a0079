// AIPerf's profile_export.jsonl (docs/working-with-profile-exports.md): a line per request with
// `metadata` (nanoseconds of the Unix epoch) and `metrics` of the form name: {value, unit}. Requests
// of its warm-up are not part of the run.
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "engine/io/measured/bench_formats.h"
#include "engine/io/measured/json_values.h"
#include "engine/io/measured/run_builder.h"

namespace tokensim::accuracy {

namespace {

using nlohmann::json;

bool Detect(const json& document) {
  // A file of a single line is a document of its own.
  const json& first = document.is_array() && !document.empty() ? document[0] : document;
  return ValueAt(first, {"metadata", "request_start_ns"}) != nullptr;
}

// In seconds; the unit is ns, us, ms or s.
std::optional<double> Seconds(const json& request, const char* metric) {
  const std::optional<double> value = NumberAt(request, {"metrics", metric, "value"});
  const json* unit = ValueAt(request, {"metrics", metric, "unit"});
  if (!value || unit == nullptr || !unit->is_string()) return std::nullopt;
  static constexpr std::pair<const char*, double> kUnits[] = {
      {"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"sec", 1}};
  for (const auto& [name, scale] : kUnits) {
    if (*unit == name) return *value * scale;
  }
  return std::nullopt;
}

bool Failed(const json& request) {
  const json* error = ValueAt(request, {"error"});
  const json* cancelled = ValueAt(request, {"metadata", "was_cancelled"});
  return (error != nullptr && !error->is_null()) || (cancelled != nullptr && *cancelled == true);
}

bool IsWarmUp(const json& request) {
  const json* phase = ValueAt(request, {"metadata", "benchmark_phase"});
  return phase != nullptr && *phase == "warmup";
}

absl::StatusOr<MeasuredRun> Read(const json& document, const std::string& name,
                                 std::optional<size_t> /*which*/) {
  const json requests = document.is_array() ? document : json::array({document});
  RunBuilder builder(name);
  // Nanoseconds of the epoch do not fit a double: times count from the first request.
  std::optional<int64_t> zero;
  for (size_t i = 0; i < requests.size(); ++i) {
    const json& request = requests[i];
    if (IsWarmUp(request)) continue;
    if (Failed(request)) {
      builder.AddFailed();
      continue;
    }
    const auto fail = [&](absl::string_view what) {
      return absl::InvalidArgumentError(absl::StrCat(name, ":", i + 1, ": ", what));
    };
    const json* start = ValueAt(request, {"metadata", "request_start_ns"});
    const json* end = ValueAt(request, {"metadata", "request_end_ns"});
    if (start == nullptr || !start->is_number_integer()) return fail("has no request_start_ns");
    if (!zero) zero = start->get<int64_t>();
    const auto since = [&zero](const json& stamp) {
      // Unsigned: any two stamps have a difference.
      const uint64_t ns = stamp.get<uint64_t>() - static_cast<uint64_t>(*zero);
      return static_cast<double>(static_cast<int64_t>(ns)) * 1e-9;
    };
    RunRow row{.arrival = since(*start)};
    if (const auto ttft = Seconds(request, "time_to_first_token")) {
      row.first_token = row.arrival + *ttft;
    }
    if (const auto latency = Seconds(request, "request_latency")) {
      row.last_token = row.arrival + *latency;
    } else if (end != nullptr && end->is_number_integer()) {
      row.last_token = since(*end);
    }
    const auto tokens = [&request](const char* metric) {
      return NumberAt(request, {"metrics", metric, "value"}).value_or(0);
    };
    row.input_tokens = tokens("input_sequence_length");
    row.output_tokens = tokens("output_sequence_length");
    if (const absl::Status status = builder.Add(row); !status.ok()) return fail(status.message());
  }
  return builder.Take();
}

}  // namespace

const BenchFormat kAiPerf = {"AIPerf", Detect, Read};

}  // namespace tokensim::accuracy
