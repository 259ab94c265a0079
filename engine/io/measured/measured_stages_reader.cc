#include "engine/io/measured/measured_stages_reader.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace tokensim::accuracy {

namespace {

using nlohmann::json;

constexpr double kMaxRequests = 5e6;
constexpr double kMaxPrompts = 1e5;
constexpr double kMaxTokens = 1e7;
constexpr double kMaxSeconds = 1e7;

// Reads numbers by their path in the document; remembers the first problem.
class Reader {
 public:
  explicit Reader(const json& root) : root_(root) {}

  [[nodiscard]] const std::string& error() const { return error_; }
  void Fail(const std::string& key, const std::string& what) {
    if (error_.empty()) error_ = absl::StrCat(key, ": ", what);
  }

  // The value at a.b[2].c; null when there is none.
  [[nodiscard]] const json* Find(const std::vector<std::string>& path) const {
    const json* node = &root_;
    for (const std::string& key : path) {
      if (node->is_array()) {
        const auto index = static_cast<size_t>(std::strtoul(key.c_str(), nullptr, 10));
        if (index >= node->size()) return nullptr;
        node = &(*node)[index];
      } else {
        const auto found = node->find(key);
        if (!node->is_object() || found == node->end()) return nullptr;
        node = &*found;
      }
    }
    return node;
  }

  double Number(const std::vector<std::string>& path, double min, double max) {
    const json* node = Find(path);
    const std::string key = Joined(path);
    if (node == nullptr) {
      Fail(key, "missing");
      return min;
    }
    if (!node->is_number()) {
      Fail(key, "is not a number");
      return min;
    }
    const auto value = node->get<double>();
    if (value >= min && value <= max) return value;
    Fail(key, absl::StrCat("is ", value, "; allowed are ", min, " to ", max));
    return min;
  }

  // None where the document has no such key.
  std::optional<double> Given(const std::vector<std::string>& path, double min, double max) {
    if (Find(path) == nullptr) return std::nullopt;
    return Number(path, min, max);
  }

  template <typename Integer>
  Integer Count(const std::vector<std::string>& path, double min, double max) {
    const double value = Number(path, min, max);
    if (value != std::floor(value)) Fail(Joined(path), "is not an integer");
    return static_cast<Integer>(value);
  }

  [[nodiscard]] std::optional<int64_t> Setting(const std::vector<std::string>& path) const {
    const json* node = Find(path);
    if (node == nullptr || !node->is_number_integer()) return std::nullopt;
    return node->get<int64_t>();
  }

 private:
  [[nodiscard]] static std::string Joined(const std::vector<std::string>& path) {
    std::string joined;
    for (const std::string& key : path) absl::StrAppend(&joined, joined.empty() ? "" : ".", key);
    return joined;
  }

  const json& root_;
  std::string error_;
};

// In seconds.
std::optional<double> Milliseconds(Reader* reader, const std::vector<std::string>& path) {
  std::optional<double> value = reader->Given(path, 0, kMaxSeconds * 1e3);
  if (value) *value /= 1e3;
  return value;
}

MeasuredLatency ReadLatency(Reader* reader, const std::string& stage, const char* name) {
  const auto seconds = [&](const char* statistic) {
    return Milliseconds(reader, {"results", stage, name, statistic});
  };
  return {seconds("mean"), seconds("median"), seconds("p90")};
}

bool IsEmpty(const MeasuredLatency& latency) {
  return !latency.mean && !latency.p50 && !latency.p90;
}

MeasuredStage ReadStage(Reader* reader, size_t index) {
  const std::string stage = absl::StrCat("stage_", index);
  const auto planned = [&](const char* key) {
    return reader->Number({"workload", "stages", absl::StrCat(index), key}, 1e-6, kMaxSeconds);
  };
  MeasuredStage out;
  out.rate = planned("rate");
  out.duration_seconds = planned("duration");
  if (const double n = out.rate * out.duration_seconds; n < 1 || n > kMaxRequests) {
    reader->Fail(absl::StrCat("workload.stages.", index),
                 absl::StrCat("has ", n, " requests; allowed are 1 to ", kMaxRequests));
  }
  out.finished = reader->Count<int64_t>({"results", stage, "count"}, 0, kMaxRequests);
  if (reader->Find({"results", stage, "failures"}) != nullptr) {
    out.failed = reader->Count<int64_t>({"results", stage, "failures"}, 0, kMaxRequests);
  }
  out.ttft = ReadLatency(reader, stage, "ttft_ms");
  out.e2e = ReadLatency(reader, stage, "e2e_ms");
  out.longest_e2e_seconds = Milliseconds(reader, {"results", stage, "e2e_ms", "max"}).value_or(0);
  out.tpot_mean_seconds = Milliseconds(reader, {"results", stage, "derived_tpot_mean_ms"});
  out.requests_per_second =
      reader->Given({"results", stage, "throughput", "requests_per_sec"}, 0, kMaxRequests);
  if (IsEmpty(out.ttft) && IsEmpty(out.e2e) && !out.tpot_mean_seconds && !out.requests_per_second) {
    reader->Fail("results." + stage,
                 "has no figure of ttft_ms, e2e_ms, derived_tpot_mean_ms or throughput");
  }
  return out;
}

// The percentiles of the prompt lengths: min, p0.1 ... median ... p99.9, max.
void ReadPromptLengths(Reader* reader, MeasuredStages* run) {
  const json* table = reader->Find({"results", "stage_0", "prompt_len"});
  if (table == nullptr || !table->is_object()) {
    return reader->Fail("results.stage_0.prompt_len", "missing");
  }
  std::vector<std::pair<double, double>> points;
  for (const auto& [key, value] : table->items()) {
    double probability = -1;
    if (key == "min") probability = 0;
    if (key == "median") probability = 0.5;
    if (key == "max") probability = 1;
    if (key.size() > 1 && key[0] == 'p') probability = std::atof(key.c_str() + 1) / 100;
    if (probability < 0 || probability > 1) continue;
    points.emplace_back(probability,
                        reader->Number({"results", "stage_0", "prompt_len", key}, 1, kMaxTokens));
  }
  std::sort(points.begin(), points.end());
  if (points.empty()) return reader->Fail("results.stage_0.prompt_len", "has no percentiles");
  for (const auto& [probability, tokens] : points) {
    if (!run->probabilities.empty() &&
        (probability == run->probabilities.back() || tokens < run->prompt_tokens.back())) {
      return reader->Fail("results.stage_0.prompt_len", "percentiles do not ascend");
    }
    run->probabilities.push_back(probability);
    run->prompt_tokens.push_back(tokens);
  }
}

void ReadServer(const Reader& reader, MeasuredStages* run) {
  run->max_num_seqs = reader.Setting({"server", "max_num_seqs"});
  run->max_num_batched_tokens = reader.Setting({"server", "max_num_batched_tokens"});
  run->max_model_len = reader.Setting({"server", "max_model_len"});
  run->kv_block_size = reader.Setting({"server", "kv_block_size"});
  run->total_kv_blocks = reader.Setting({"server", "total_kv_blocks"});
  run->tensor_parallel = reader.Setting({"tp"});
}

}  // namespace

absl::StatusOr<MeasuredStages> ParseMeasuredStages(std::string_view contents,
                                                   const std::string& name) {
  const json root = json::parse(contents, nullptr, /*allow_exceptions=*/false);
  if (root.is_discarded() || !root.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": is not a JSON object"));
  }
  Reader reader(root);
  MeasuredStages run;
  run.name = name;
  const auto prompts = [&](const char* key) {
    return reader.Count<int32_t>({"workload", "resolved_by_loadgen", key}, 1, kMaxPrompts);
  };
  const auto tokens = [&](const char* key, double min) {
    return reader.Count<int32_t>({"workload", "resolved_by_loadgen", key}, min, kMaxTokens);
  };
  run.groups = prompts("num_groups");
  run.prompts_per_group = prompts("num_prompts_per_group");
  if (static_cast<double>(run.groups) * run.prompts_per_group > kMaxPrompts) {
    reader.Fail("workload.resolved_by_loadgen", "has too many prompts");
  }
  run.system_prompt_tokens = tokens("system_prompt_len", 0);
  run.output_tokens = tokens("output_len", 1);
  const json* stages = reader.Find({"workload", "stages"});
  if (stages == nullptr || !stages->is_array() || stages->empty() || stages->size() > 1000) {
    reader.Fail("workload.stages", "is not a list of 1 to 1000 stages");
  } else {
    for (size_t i = 0; i < stages->size(); ++i) run.stages.push_back(ReadStage(&reader, i));
  }
  ReadPromptLengths(&reader, &run);
  ReadServer(reader, &run);
  if (reader.error().empty()) return run;
  return absl::InvalidArgumentError(absl::StrCat(name, ": ", reader.error()));
}

}  // namespace tokensim::accuracy
