// What `tokensim accuracy` prints and writes. docs/accuracy.md has the schema of the JSON.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "clients/cli/metrics.h"
#include "engine/analysis/comparison.h"

namespace tokensim::cli {

struct AccuracyResult {
  std::string spec_name;
  std::string spec_digest;
  std::string truth;
  double wall_seconds = 0;  // of the replay
  std::vector<accuracy::Comparison> comparisons;
  // Of the same schedule served twice: a comparison of the two, or none.
  std::string repeat;
  std::vector<accuracy::Comparison> noise;
};

void WriteAccuracyTable(const AccuracyResult& result, std::ostream& out);
void WriteAccuracyJson(const AccuracyResult& result, std::ostream& out);

// For assertions: absolute errors, as ttft.p99, ttft.mape, throughput.requests_per_second. Of
// stages, stage0.ttft.mean and so on, and without the stage the worst of those that are compared;
// saturation.wrong counts the stages in which only one side keeps up.
[[nodiscard]] std::vector<Metric> AccuracyMetrics(const AccuracyResult& result);

// One row per request of a measured run: its stamps beside those simulated.
void WriteAccuracyRequests(const accuracy::MeasuredRun& run,
                           const std::vector<RequestRecord>& records, std::ostream& out);
// What was sent: the columns of a measured run without its stamps, and the stage.
void WriteEffectiveWorkload(const accuracy::MeasuredStages& run, uint64_t seed, std::ostream& out);

}  // namespace tokensim::cli
