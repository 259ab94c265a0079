// A report on stdout, in each of the formats. A report of a remote run looks exactly as that of a
// local one, but for the last line (`execution`).
#pragma once

#include <iosfwd>

#include "clients/cli/options.h"
#include "tokensim/v1/report.pb.h"

namespace tokensim::cli {

struct ReportStyle {
  bool color = false;
  bool utf8 = false;
};

void PrintReport(const v1::Report& report, Format format);

void WriteReportTable(const v1::Report& report, const ReportStyle& style, std::ostream& out);
// Rows of metric,stat,value.
void WriteReportCsv(const v1::Report& report, std::ostream& out);

}  // namespace tokensim::cli
