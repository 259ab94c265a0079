#include "engine/io/measured/truth_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/io/measured/bench_formats.h"
#include "engine/io/measured/measured_run_reader.h"
#include "engine/io/measured/measured_stages_reader.h"

namespace tokensim::accuracy {

namespace {

// Appends one row after the other.
class RowsWriter {
 public:
  void Add(SimTime arrival, int32_t input_tokens, int32_t output_tokens,
           const std::vector<int64_t>& block_ids) {
    v1::TraceRows& rows = *workload_.mutable_trace()->mutable_rows();
    rows.add_arrival_delta_ns(arrival - last_arrival_);
    last_arrival_ = arrival;
    rows.add_input_tokens(input_tokens);
    rows.add_output_tokens(output_tokens);
    rows.add_hash_counts(static_cast<int32_t>(block_ids.size()));
    rows.mutable_hash_ids()->Add(block_ids.begin(), block_ids.end());
  }

  v1::Workload Take() {
    v1::TraceRows& rows = *workload_.mutable_trace()->mutable_rows();
    if (rows.hash_ids().empty()) {
      rows.clear_hash_counts();
    } else {
      rows.set_hash_block_tokens(kPromptBlockTokens);
    }
    return std::move(workload_);
  }

 private:
  v1::Workload workload_;
  SimTime last_arrival_ = 0;
};

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return absl::NotFoundError(absl::StrCat(path, ": is a directory"));
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat(path, ": ", std::strerror(errno)));
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// "file.json#2" is the third run in file.json, unless there is a file of the whole name.
std::pair<std::string, std::optional<size_t>> SplitChoice(const std::string& path) {
  const size_t hash = path.rfind('#');
  size_t which = 0;
  std::error_code ignored;
  if (hash == std::string::npos || !absl::SimpleAtoi(path.substr(hash + 1), &which) ||
      std::filesystem::exists(path, ignored)) {
    return {path, std::nullopt};
  }
  return {path.substr(0, hash), which};
}

absl::StatusOr<Truth> ReadJson(const std::string& contents, const std::string& name,
                               std::optional<size_t> which) {
  const nlohmann::json document = ParseBenchDocument(contents);
  if (const BenchFormat* format = FindBenchFormat(document)) {
    absl::StatusOr<MeasuredRun> run = format->read(document, name, which);
    if (!run.ok()) return run.status();
    return Truth(*std::move(run));
  }
  absl::StatusOr<MeasuredStages> stages = ParseMeasuredStages(contents, name);
  if (!stages.ok()) return stages.status();
  return Truth(*std::move(stages));
}

}  // namespace

absl::StatusOr<Truth> ReadTruth(const std::string& path) {
  const auto [file, which] = SplitChoice(path);
  const auto contents = ReadFile(file);
  if (!contents.ok()) return contents.status();
  const size_t first = contents->find_first_not_of(" \t\r\n");
  if (first != std::string::npos && ((*contents)[first] == '{' || (*contents)[first] == '[')) {
    return ReadJson(*contents, file, which);
  }
  auto run = ParseMeasuredRun(*contents, file);
  if (!run.ok()) return run.status();
  return Truth(*std::move(run));
}

v1::Workload ToWorkload(const MeasuredRun& run, int32_t max_in_flight) {
  RowsWriter rows;
  SimTime last = 0;
  for (const MeasuredRequest& request : run.requests) {
    // In the order in which they were sent.
    const bool intended = max_in_flight > 0 && run.has_intended;
    last = std::max(last, intended ? request.intended : request.arrival);
    rows.Add(last, request.input_tokens, request.output_tokens, request.prompt_block_ids);
  }
  v1::Workload workload = rows.Take();
  if (max_in_flight > 0) workload.set_max_in_flight(max_in_flight);
  return workload;
}

v1::Workload ToWorkload(const MeasuredStages& run, uint64_t seed) {
  const StagedWorkload sent = EffectiveWorkload(run, seed);
  RowsWriter rows;
  for (const StagedRequest& request : sent.requests) {
    const StagedPrompt& prompt = sent.prompts[static_cast<size_t>(request.prompt)];
    rows.Add(request.arrival, prompt.tokens, run.output_tokens, prompt.block_ids);
  }
  return rows.Take();
}

v1::Workload ToWorkload(const Truth& truth, uint64_t seed, int32_t max_in_flight) {
  if (const auto* run = std::get_if<MeasuredRun>(&truth)) return ToWorkload(*run, max_in_flight);
  v1::Workload workload = ToWorkload(std::get<MeasuredStages>(truth), seed);
  if (max_in_flight > 0) workload.set_max_in_flight(max_in_flight);
  return workload;
}

}  // namespace tokensim::accuracy
