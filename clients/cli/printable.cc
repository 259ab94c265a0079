#include "clients/cli/printable.h"

namespace tokensim::cli {

namespace {

std::string Hex(unsigned char c) {
  constexpr char kDigits[] = "0123456789abcdef";
  return {'\\', 'x', kDigits[c >> 4], kDigits[c & 15]};
}

// ASCII's control characters, and in UTF-8 those of Latin-1, U+0080 .. U+009F: some terminals obey
// them as well.
std::string WriteOut(std::string_view text, bool lines) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (c == 0xC2 && next >= 0x80 && next <= 0x9F) {
      out += Hex(c) + Hex(static_cast<unsigned char>(next));
      ++i;
    } else if (lines && (c == '\n' || c == '\t')) {
      out += text[i];
    } else if (c < 0x20 || c == 0x7F) {
      out += Hex(c);
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::string Printable(std::string_view text) { return WriteOut(text, /*lines=*/false); }
std::string PrintableLines(std::string_view text) { return WriteOut(text, /*lines=*/true); }

}  // namespace tokensim::cli
