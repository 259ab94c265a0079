// Text of others, as names of groups and messages of servers, for people to read: control
// characters, which would reach the terminal, are written out.
//
//   Printable("gpu\033[2J")   // gpu\x1b[2J
//
// What machines read (JSON, CSV, YAML) is left as it is.
#pragma once

#include <string>
#include <string_view>

namespace tokensim::cli {

// Also ends of lines and tabs: for a name within a line.
[[nodiscard]] std::string Printable(std::string_view text);
// But for ends of lines and tabs: for a message of several lines.
[[nodiscard]] std::string PrintableLines(std::string_view text);

}  // namespace tokensim::cli
