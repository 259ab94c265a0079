// A report on stdout, in each of the formats. A report of a remote run looks exactly as that of a
// local one, but for the last line (`execution`).
#pragma once

#include <iosfwd>
#include <string_view>

#include "tokensim/v1/report.pb.h"

namespace tokensim::cli {

struct ReportStyle {
  bool color = false;
  bool utf8 = false;
};

void PrintReportTable(const v1::Report& report);
void PrintReportJson(const v1::Report& report);
void PrintReportCsv(const v1::Report& report);
void PrintReportMarkdown(const v1::Report& report);
void PrintReportOpenMetrics(const v1::Report& report);

struct ReportFormat {
  const char* name;  // of -o
  void (*print)(const v1::Report& report);
};
inline constexpr ReportFormat kReportFormats[] = {{"table", PrintReportTable},
                                                  {"json", PrintReportJson},
                                                  {"csv", PrintReportCsv},
                                                  {"markdown", PrintReportMarkdown},
                                                  {"openmetrics", PrintReportOpenMetrics}};
// Null when there is none.
[[nodiscard]] const ReportFormat* FindReportFormat(std::string_view name);

void WriteReportTable(const v1::Report& report, const ReportStyle& style, std::ostream& out);
// Rows of metric,stat,value.
void WriteReportCsv(const v1::Report& report, std::ostream& out);

}  // namespace tokensim::cli
