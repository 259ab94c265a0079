// A report as Markdown, for pull requests and CI summaries.
#pragma once

#include <iosfwd>
#include <vector>

#include "clients/cli/assertion.h"
#include "tokensim/v1/report.pb.h"

namespace tokensim::cli {

// Latencies as a table, throughput, SLO, cost and notes.
void WriteReportMarkdown(const v1::Report& report, std::ostream& out);
// The same behind the assertions, the missed ones first. A few kilobytes: GitHub takes 1 MiB a step.
void WriteMarkdownSummary(const v1::Report& report, std::vector<AssertionResult> assertions,
                          std::ostream& out);

}  // namespace tokensim::cli
