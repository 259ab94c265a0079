#include "clients/cli/junit.h"

#include <gtest/gtest.h>

#include <sstream>

namespace tokensim::cli {
namespace {

TEST(Junit, OneCasePerAssertionAndTextIsEscaped) {
  std::ostringstream out;
  WriteJunit({"a \"spec\"",
              0.25,
              "",
              {{"ttft.p99 <= 500ms", true, "ttft.p99 = 45 ms"},
               {"slo.attainment >= 99%", false, "slo.attainment = 42 %"}}},
             out);
  EXPECT_EQ(out.str(), R"(<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="a &quot;spec&quot;" tests="3" failures="1" errors="0" time="0.25">
    <testcase classname="a &quot;spec&quot;" name="run"/>
    <testcase classname="a &quot;spec&quot;" name="ttft.p99 &lt;= 500ms"/>
    <testcase classname="a &quot;spec&quot;" name="slo.attainment &gt;= 99%">
      <failure message="slo.attainment = 42 %"/>
    </testcase>
  </testsuite>
</testsuites>
)");
}

TEST(Junit, AFailedRunIsAnError) {
  std::ostringstream out;
  WriteJunit({"s", 0, "out of memory\n", {}}, out);
  EXPECT_NE(out.str().find("tests=\"1\" failures=\"0\" errors=\"1\""), std::string::npos);
  EXPECT_NE(out.str().find("<error message=\"out of memory \"/>"), std::string::npos);
}

}  // namespace
}  // namespace tokensim::cli
