// What the terminal can show.
#pragma once

namespace tokensim::cli {

// stderr is a terminal that understands control sequences.
[[nodiscard]] bool StderrIsTerminal();
// stdout is a terminal, and NO_COLOR is not set.
[[nodiscard]] bool StdoutHasColor();
// stdout is a terminal that shows UTF-8.
[[nodiscard]] bool StdoutHasUtf8();

}  // namespace tokensim::cli
