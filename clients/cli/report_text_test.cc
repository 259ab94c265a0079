// Reports as Markdown and as OpenMetrics.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>

#include "absl/strings/str_split.h"
#include "clients/cli/markdown_output.h"
#include "clients/cli/metrics.h"
#include "clients/cli/openmetrics_output.h"

namespace tokensim::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::Report Example() {
  v1::Report report;
  report.set_spec_name("a|b <i>\n\"c\"");
  report.mutable_requests()->set_total(3);
  report.mutable_requests()->set_finished(2);
  report.mutable_requests()->set_rejected_kv_capacity(1);
  v1::Distribution* ttft = report.mutable_ttft_seconds();
  ttft->set_count(2);
  ttft->set_mean(0.25);
  ttft->set_p99(0.5);
  v1::ClassReport* chat = report.add_classes();
  chat->set_name("chat.v2");
  *chat->mutable_ttft_seconds() = *ttft;
  report.add_notes("worker *0* is full");
  return report;
}

std::string Markdown(const std::vector<AssertionResult>& assertions) {
  std::ostringstream out;
  WriteMarkdownSummary(Example(), assertions, out);
  return out.str();
}

TEST(WriteMarkdownSummary, TextOfTheUserCannotEndACellOrBeginATag) {
  const std::string text = Markdown({});
  EXPECT_THAT(text, HasSubstr("### a\\|b \\<i\\>"));
  EXPECT_THAT(text, Not(HasSubstr("<i>")));
  EXPECT_THAT(text, HasSubstr("worker \\*0\\* is full"));
  EXPECT_THAT(text, HasSubstr("| TTFT | 250 ms |"));
  EXPECT_THAT(text, HasSubstr("| 500 ms |"));
  EXPECT_THAT(text, Not(HasSubstr("TPOT")));  // none was measured
  EXPECT_THAT(text, HasSubstr("2 of 3 requests finished, 1 rejected"));
  EXPECT_THAT(text, Not(HasSubstr("assertion")));
}

TEST(WriteMarkdownSummary, MissedAssertionsComeFirst) {
  const std::string text = Markdown({{.text = "a <= 1", .holds = true, .measured = "a = 0"},
                                     {.text = "b <= 1", .holds = false, .measured = "b = 2"}});
  EXPECT_THAT(text, HasSubstr("| b \\<= 1 | **missed** | b = 2 |\n| a \\<= 1 | holds | a = 0 |"));
}

TEST(WriteOpenMetrics, EveryDefinedMetricStandsInItsFamily) {
  std::ostringstream out;
  WriteOpenMetrics(Example(), out);
  const std::vector<std::string> lines = absl::StrSplit(out.str(), '\n');
  std::set<std::string> families;
  std::string family;
  size_t samples = 0;
  for (const std::string& line : lines) {
    if (line.starts_with("# TYPE ")) {
      const std::vector<std::string> words = absl::StrSplit(line, ' ');
      family = words[2];
      EXPECT_TRUE(families.insert(family).second) << line;
      EXPECT_EQ(words[3], "gauge");
    } else if (!line.starts_with('#') && !line.empty()) {
      EXPECT_TRUE(line.starts_with(family + "{")) << line;
      ++samples;
    }
  }
  size_t defined = 0;
  for (const Metric& metric : ListMetrics(Example())) defined += metric.value ? 1 : 0;
  EXPECT_EQ(samples, defined);
  const std::string spec = "spec=\"a|b <i>\\n\\\"c\\\"\"";
  EXPECT_THAT(lines,
              ::testing::Contains("tokensim_ttft_seconds{" + spec + ",statistic=\"p99\"} 0.5"));
  EXPECT_THAT(lines, ::testing::Contains("tokensim_ttft_seconds{" + spec +
                                         ",class=\"chat.v2\",statistic=\"mean\"} 0.25"));
  EXPECT_THAT(lines, ::testing::Contains("# UNIT tokensim_ttft_seconds seconds"));
  EXPECT_TRUE(out.str().ends_with("# EOF\n"));
}

}  // namespace
}  // namespace tokensim::cli
