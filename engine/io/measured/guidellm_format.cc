// GuideLLM's benchmarks.json (guidellm/benchmark/schemas): `benchmarks`, one for each rate, with
// `requests.successful`, whose `info.timings` are Unix seconds. `targeted_start` is when the schedule
// wanted the request to be sent, `request_start` when it was.
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "engine/io/measured/bench_formats.h"
#include "engine/io/measured/json_values.h"
#include "engine/io/measured/run_builder.h"

namespace tokensim::accuracy {

namespace {

using nlohmann::json;

bool Detect(const json& document) {
  const json& benchmarks = ListAt(document, {"benchmarks"});
  return !benchmarks.empty() && ValueAt(benchmarks[0], {"requests"}) != nullptr;
}

absl::Status Fail(const std::string& name, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": ", what));
}

// All kinds of tokens: text_tokens, image_tokens and so on; cached ones are among them.
double Tokens(const json& request, const char* metrics) {
  const json* of = ValueAt(request, {metrics});
  double sum = 0;
  if (of == nullptr || !of->is_object()) return sum;
  for (const auto& [key, value] : of->items()) {
    const bool counts = key.ends_with("_tokens") && key != "cached_tokens" && key != "total_tokens";
    if (counts && value.is_number()) sum += value.get<double>();
  }
  return sum;
}

absl::StatusOr<MeasuredRun> Read(const json& document, const std::string& name,
                                 std::optional<size_t> which) {
  const json& benchmarks = document["benchmarks"];
  if (!which && benchmarks.size() > 1) {
    return Fail(name,
                absl::StrCat("has ", benchmarks.size(), " benchmarks; choose one: ", name, "#0"));
  }
  const size_t index = which.value_or(0);
  if (index >= benchmarks.size()) {
    return Fail(name, absl::StrCat("has ", benchmarks.size(), " benchmarks; there is no #", index));
  }
  const json& benchmark = benchmarks[index];
  RunBuilder builder(name);
  for (const char* kind : {"errored", "incomplete"}) {
    for (size_t i = 0; i < ListAt(benchmark, {"requests", kind}).size(); ++i) builder.AddFailed();
  }
  size_t number = 0;
  for (const json& request : ListAt(benchmark, {"requests", "successful"})) {
    const auto time = [&request](const char* key) {
      return NumberAt(request, {"info", "timings", key});
    };
    const std::optional<double> start = time("request_start");
    if (!start) return Fail(name, absl::StrCat("request ", number, ": has no request_start"));
    RunRow row{.arrival = *start,
               .intended = time("targeted_start"),
               .first_token = time("first_token_iteration"),
               .last_token = time("last_token_iteration"),
               .input_tokens = Tokens(request, "input_metrics"),
               .output_tokens = Tokens(request, "output_metrics")};
    if (!row.last_token) row.last_token = time("request_end");
    const json* id = ValueAt(request, {"request_id"});
    if (id != nullptr && id->is_string()) row.id = id->get<std::string>();
    if (const absl::Status status = builder.Add(row); !status.ok()) {
      return Fail(name, absl::StrCat("request ", number, ": ", status.message()));
    }
    ++number;
  }
  return builder.Take();
}

}  // namespace

const BenchFormat kGuideLlm = {"GuideLLM", Detect, Read};

}  // namespace tokensim::accuracy
