// `vllm bench serve --save-result --save-detailed` (vllm/benchmarks/serve.py): one object with arrays,
// one element per request in the order they were sent; with --append-result an object per line.
// Seconds. A request that failed has an error and no output tokens.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "engine/io/measured/bench_formats.h"
#include "engine/io/measured/json_values.h"
#include "engine/io/measured/run_builder.h"

namespace tokensim::accuracy {

namespace {

using nlohmann::json;

bool IsRun(const json& value) {
  return value.is_object() && value.contains("request_throughput") && value.contains("duration");
}

bool Detect(const json& document) {
  if (document.is_array()) return !document.empty() && IsRun(document[0]);
  return IsRun(document);
}

absl::Status Fail(const std::string& name, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": ", what));
}

// The element of an array; nothing where it has none or no number.
std::optional<double> At(const json& list, size_t index) {
  if (index >= list.size() || !list[index].is_number()) return std::nullopt;
  return list[index].get<double>();
}

double Sum(const json& list) {
  double sum = 0;
  for (const json& value : list) sum += value.is_number() ? value.get<double>() : 0;
  return sum;
}

bool HasError(const json& errors, size_t index) {
  return index < errors.size() && errors[index].is_string() &&
         !errors[index].get_ref<const std::string&>().empty();
}

absl::StatusOr<MeasuredRun> ReadRun(const json& run, const std::string& name) {
  const json& ttfts = ListAt(run, {"ttfts"});
  const json& starts = ListAt(run, {"start_times"});
  const json& inputs = ListAt(run, {"input_lens"});
  const json& outputs = ListAt(run, {"output_lens"});
  const json& latencies = ListAt(run, {"latencies"});
  const json& itls = ListAt(run, {"itls"});
  if (ttfts.empty() || inputs.empty() || outputs.empty()) {
    return Fail(name,
                "has figures of the whole run only; `vllm bench serve` keeps those of each "
                "request with --save-detailed");
  }
  if (starts.empty())
    return Fail(name, "has no start_times; a newer `vllm bench serve` keeps them");
  const size_t count = ttfts.size();
  if (starts.size() != count || inputs.size() != count || outputs.size() != count) {
    return Fail(name, "ttfts, start_times, input_lens and output_lens are not equally long");
  }
  RunBuilder builder(name);
  for (size_t i = 0; i < count; ++i) {
    const std::optional<double> start = At(starts, i);
    const std::optional<double> ttft = At(ttfts, i);
    const double output = At(outputs, i).value_or(0);
    if (!start || !ttft || output < 1 || HasError(ListAt(run, {"errors"}), i)) {
      builder.AddFailed();
      continue;
    }
    RunRow row{.arrival = *start,
               .first_token = *start + *ttft,
               .input_tokens = At(inputs, i).value_or(0),
               .output_tokens = output};
    if (const std::optional<double> latency = At(latencies, i)) {
      row.last_token = std::max(*row.first_token, *start + *latency);
    } else if (i < itls.size() && itls[i].is_array()) {
      row.last_token = *row.first_token + Sum(itls[i]);
    }
    if (const absl::Status status = builder.Add(row); !status.ok()) {
      return Fail(name, absl::StrCat("request ", i, ": ", status.message()));
    }
  }
  return builder.Take();
}

absl::StatusOr<MeasuredRun> Read(const json& document, const std::string& name,
                                 std::optional<size_t> which) {
  if (!document.is_array()) return ReadRun(document, name);
  if (!which && document.size() > 1) {
    return Fail(name, absl::StrCat("has ", document.size(), " runs; choose one: ", name, "#0"));
  }
  const size_t index = which.value_or(0);
  if (index >= document.size()) {
    return Fail(name, absl::StrCat("has ", document.size(), " runs; there is no #", index));
  }
  return ReadRun(document[index], name);
}

}  // namespace

const BenchFormat kVllmBench = {"vllm bench serve", Detect, Read};

}  // namespace tokensim::accuracy
