// Numbers for people: three significant digits, a fitting unit.
#pragma once

#include <cstdint>
#include <string>

namespace tokensim::cli {

[[nodiscard]] std::string FormatSeconds(double seconds);  // "45.2 ms", "1.20 s", "3,600 s"
[[nodiscard]] std::string FormatCount(int64_t count);     // "12,345"
[[nodiscard]] std::string FormatNumber(double value);     // "7.93", "1,650"
[[nodiscard]] std::string FormatPercent(double ratio);    // 0.992 -> "99.2 %"
[[nodiscard]] std::string FormatBytes(int64_t bytes);     // "12.6 GiB"
// The shortest text that reads back as the same double.
[[nodiscard]] std::string FormatExact(double value);

}  // namespace tokensim::cli
