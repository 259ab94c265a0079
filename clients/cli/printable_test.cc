#include "clients/cli/printable.h"

#include <gtest/gtest.h>

#include <sstream>

#include "clients/cli/spec_input.h"
#include "clients/cli/talk.h"
#include "clients/cli/text_table.h"

namespace tokensim::cli {
namespace {

TEST(PrintableTest, ControlCharactersAreWrittenOut) {
  EXPECT_EQ(Printable("gpu\033[2J"), "gpu\\x1b[2J");
  EXPECT_EQ(Printable("a\nb\tc\r\x7f"), "a\\x0ab\\x09c\\x0d\\x7f");
  EXPECT_EQ(Printable(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(Printable("\xC2\x9B"
                      "2J"),
            "\\xc2\\x9b2J")
      << "U+009B begins a sequence, too";
  EXPECT_EQ(Printable("Größe µ 日本"), "Größe µ 日本");
  EXPECT_EQ(Printable("\xC2"), "\xC2") << "what is no UTF-8 is no control character";
  EXPECT_EQ(PrintableLines("a\n\tb\033c"), "a\n\tb\\x1bc");
}

TEST(PrintableTest, CellsOfTables) {
  TextTable table({Align::kLeft, Align::kRight});
  table.AddRow({"a\033[31m\nb", "1"});
  std::ostringstream out;
  table.Print(out);
  EXPECT_EQ(out.str(), "a\\x1b[31m\\x0ab  1\n");
}

TEST(PrintableTest, Findings) {
  SpecInput input;
  input.file = "s\033.yaml";
  v1::Finding finding;
  finding.set_field("workers[0].name");
  finding.set_message("is '\033[2J'");
  EXPECT_EQ(FindingText(input, finding), "s\\x1b.yaml: workers[0].name: is '\\x1b[2J'");
}

TEST(PrintableTest, ErrorsOfServers) {
  client::Error error;
  error.code = absl::StatusCode::kNotFound;
  error.message = "no \033[2J";
  EXPECT_EQ(ServerErrorText(error, "host"), "tokensim: NOT_FOUND: no \\x1b[2J\n");
}

}  // namespace
}  // namespace tokensim::cli
