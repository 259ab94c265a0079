// A run as `vllm bench serve --save-result --save-detailed` writes it, for the scripts that read that
// (vllm/benchmarks/serve.py; docs/accuracy.md).
#pragma once

#include <iosfwd>
#include <string>

#include "engine/run/request_table.h"

namespace tokensim::cli {

// One JSON object. Requests are in the order they were sent; rejected ones are failures, with a TTFT
// and a latency of 0. Percentiles are numpy's linear ones. Left out is what a simulation does not keep:
// the single gaps between tokens (`itls`, percentiles of ITL) and the answers.
void WriteVllmBench(const RequestTable& records, const std::string& label, std::ostream& out);

}  // namespace tokensim::cli
