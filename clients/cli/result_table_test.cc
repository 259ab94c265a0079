#include "clients/cli/result_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace tokensim::cli {
namespace {

using ::testing::HasSubstr;

ResultTable Example() {
  ResultTable table({{.name = "workers"},
                     {.name = "policy"},
                     {.name = "ttft.p99", .unit = Unit::kSeconds},
                     {.name = "note"}});
  table.AddRow({Cell::Text("1"), Cell::Text("fcfs"), Cell::Number(0.123456), Cell::Text("")});
  table.AddRow({Cell::Text("1"), Cell::Text("a|b, \"c\""), Cell::Number(std::nullopt),
                Cell::Text("saturated")});
  table.AddRow({Cell::Text("2"), Cell::Text("fcfs"), Cell::Number(2)});
  return table;
}

std::string Printed(const ResultTable& table, TableFormat format) {
  std::ostringstream out;
  table.Print(format, out);
  return out.str();
}

TEST(ResultTable, ForPeopleHasUnitsAndThreeDigits) {
  EXPECT_EQ(Printed(Example(), TableFormat::kTable),
            "workers  policy    ttft.p99  note\n"
            "      1  fcfs        123 ms  -\n"
            "      1  a|b, \"c\"         -  saturated\n"
            "      2  fcfs        2.00 s  -\n");
}

TEST(ResultTable, CsvHasExactNumbersAndQuotes) {
  EXPECT_EQ(Printed(Example(), TableFormat::kCsv),
            "workers,policy,ttft.p99,note\n"
            "1,fcfs,0.123456,\n"
            "1,\"a|b, \"\"c\"\"\",,saturated\n"
            "2,fcfs,2,\n");
}

TEST(ResultTable, JsonHasNumbersTextsAndNothing) {
  ResultTable table({{.name = "n"}, {.name = "text"}, {.name = "value"}});
  table.AddRow({Cell::Text("4"), Cell::Text("x"), Cell::Number(std::nullopt)});
  EXPECT_EQ(Printed(table, TableFormat::kJson),
            "[\n  {\n    \"n\": 4,\n    \"text\": \"x\",\n    \"value\": null\n  }\n]\n");
}

TEST(ResultTable, JsonOfNoRowsIsAnEmptyList) {
  EXPECT_EQ(Printed(ResultTable({{.name = "n"}}), TableFormat::kJson), "[]\n");
}

TEST(ResultTable, MarkdownEscapesBars) {
  EXPECT_THAT(Printed(Example(), TableFormat::kMarkdown), HasSubstr("| 1 | a\\|b, \"c\" | - |"));
}

TEST(ResultTable, APivotHasARowAndAColumnForEachValue) {
  const auto pivot = Example().Pivot("policy", "workers", "ttft.p99");
  ASSERT_TRUE(pivot.ok());
  EXPECT_EQ(Printed(*pivot, TableFormat::kCsv),
            "policy \\ workers,1,2\n"
            "fcfs,0.123456,2\n"
            "\"a|b, \"\"c\"\"\",,\n");
  EXPECT_THAT(Printed(*pivot, TableFormat::kTable), HasSubstr("123 ms"));
}

TEST(ResultTable, APivotOfUnknownColumnsNamesTheNearest) {
  const auto pivot = Example().Pivot("policy", "worker", "ttft.p99");
  EXPECT_THAT(std::string(pivot.status().message()), HasSubstr("'worker'"));
  EXPECT_THAT(std::string(pivot.status().message()), HasSubstr("workers"));
}

}  // namespace
}  // namespace tokensim::cli
