#include "clients/cli/text_table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace tokensim::cli {
namespace {

TEST(TextTable, AlignsAndTrims) {
  TextTable table({Align::kLeft, Align::kRight, Align::kLeft});
  table.AddRow({"a", "value", "note"});
  table.AddRow({"long", "1"});
  table.AddRow({"b", "2", "x"});
  std::ostringstream out;
  table.Print(out);
  EXPECT_EQ(out.str(), "a     value  note\nlong      1\nb         2  x\n");
}

}  // namespace
}  // namespace tokensim::cli
