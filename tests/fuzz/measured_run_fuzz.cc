// Any bytes, read as a measured run, give requests in order or an error; as JSON of stages, the
// requests that were sent. The same for what benchmark tools write.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "engine/io/measured/bench_formats.h"
#include "engine/io/measured/measured_run_reader.h"
#include "engine/io/measured/measured_stages_reader.h"

namespace {

using tokensim::accuracy::MeasuredRequest;

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckRun(const tokensim::accuracy::MeasuredRun& run) {
  Require(!run.requests.empty() && run.requests[0].arrival == 0);
  tokensim::SimTime arrival = 0;
  for (const MeasuredRequest& request : run.requests) {
    Require(request.arrival >= arrival);
    arrival = request.arrival;
    Require(!run.has_queued || request.queued >= request.arrival);
    Require(!run.has_first_token || request.first_token >= request.arrival);
    Require(!run.has_last_token || request.last_token >= request.arrival);
    Require(!run.has_first_token || !run.has_last_token ||
            request.last_token >= request.first_token);
    Require(request.input_tokens >= 1 && request.output_tokens >= 1);
  }
}

void CheckStages(const tokensim::accuracy::MeasuredStages& run) {
  int64_t requests = 0;
  double tokens =
      static_cast<double>(run.groups) * run.prompts_per_group * run.prompt_tokens.back();
  for (const auto& stage : run.stages) requests += stage.requests();
  if (requests > 10'000 || tokens > 1e6)
    return;  // time and memory are bounded by what is asked for
  const auto sent = tokensim::accuracy::EffectiveWorkload(run, 1);
  Require(static_cast<int64_t>(sent.requests.size()) == requests && sent.requests[0].arrival == 0);
  for (const auto& prompt : sent.prompts) Require(prompt.tokens >= 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view contents(reinterpret_cast<const char*>(data), size);
  if (const auto run = tokensim::accuracy::ParseMeasuredRun(contents, "fuzz"); run.ok()) {
    CheckRun(*run);
  }
  const auto stages = tokensim::accuracy::ParseMeasuredStages(contents, "fuzz");
  if (stages.ok()) CheckStages(*stages);
  const nlohmann::json document = tokensim::accuracy::ParseBenchDocument(contents);
  if (const auto* format = tokensim::accuracy::FindBenchFormat(document)) {
    for (const std::optional<size_t> which : {std::optional<size_t>(), std::optional<size_t>(0)}) {
      if (const auto run = format->read(document, "fuzz", which); run.ok()) CheckRun(*run);
    }
  }
  return 0;
}
