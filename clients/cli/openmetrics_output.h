// A report as OpenMetrics text, for files that Prometheus tools and GitLab read.
#pragma once

#include <iosfwd>

#include "tokensim/v1/report.pb.h"

namespace tokensim::cli {

// Every defined metric of ListMetrics as a gauge: ttft_seconds.p99 of class chat is
// tokensim_ttft_seconds{spec="...",class="chat",statistic="p99"}. OpenMetrics 1.0.
void WriteOpenMetrics(const v1::Report& report, std::ostream& out);

}  // namespace tokensim::cli
