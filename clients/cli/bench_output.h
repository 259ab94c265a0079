// Runs written as load generators write theirs, for the scripts that read those.
//
//   if (const BenchWriter write = FindBenchWriter("guidellm")) write(records, "a label", std::cout);
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>

#include "engine/run/request_table.h"

namespace tokensim::cli {

// Writes one JSON document.
using BenchWriter = void (*)(const RequestTable& records, const std::string& label,
                             std::ostream& out);

// As `vllm bench serve --save-result --save-detailed` (vllm/benchmarks/serve.py). Requests are in the
// order they were sent; rejected ones are failures, with a TTFT and a latency of 0. Percentiles are
// numpy's linear ones. Left out is what a simulation does not keep: the single gaps between tokens
// (`itls`, percentiles of ITL) and the answers.
void WriteVllmBench(const RequestTable& records, const std::string& label, std::ostream& out);

// As GuideLLM's benchmarks.json, metadata version 2 (guidellm/benchmark/schemas). Seconds count from
// the start of the run instead of from 1970. Its `time_per_output_token_ms` counts the whole latency,
// TTFT included, and its `inter_token_latency_ms` is what others call TPOT.
void WriteGuideLlm(const RequestTable& records, const std::string& label, std::ostream& out);

struct BenchOutput {
  const char* name;  // of `-o`
  BenchWriter write;
};
inline constexpr BenchOutput kBenchOutputs[] = {{"vllm-bench", WriteVllmBench},
                                                {"guidellm", WriteGuideLlm}};
// Null when there is none.
[[nodiscard]] constexpr BenchWriter FindBenchWriter(std::string_view name) {
  for (const BenchOutput& output : kBenchOutputs) {
    if (name == output.name) return output.write;
  }
  return nullptr;
}

}  // namespace tokensim::cli
