#include "clients/cli/units.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <iterator>

namespace tokensim::cli {

namespace {

std::string Printf(const char* format, int precision, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), format, precision, value);
  return buffer;
}

// Three significant digits for |value| < 1000.
std::string ThreeDigits(double value) {
  const double magnitude = std::abs(value);
  if (magnitude >= 99.95) return Printf("%.*f", 0, value);
  if (magnitude >= 9.995) return Printf("%.*f", 1, value);
  return Printf("%.*f", 2, value);
}

}  // namespace

std::string FormatCount(int64_t count) {
  std::string digits = std::to_string(count);
  const size_t first = count < 0 ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string FormatNumber(double value) {
  if (std::abs(value) >= 999.5 && std::abs(value) < 9e18) return FormatCount(std::llround(value));
  if (value != 0 && std::abs(value) < 0.01) return Printf("%.*g", 3, value);
  return ThreeDigits(value);
}

std::string FormatSeconds(double seconds) {
  const double magnitude = std::abs(seconds);
  if (magnitude == 0) return "0 s";
  if (magnitude < 999.5e-9) return ThreeDigits(seconds * 1e9) + " ns";
  if (magnitude < 999.5e-6) return ThreeDigits(seconds * 1e6) + " us";
  if (magnitude < 999.5e-3) return ThreeDigits(seconds * 1e3) + " ms";
  return FormatNumber(seconds) + " s";
}

std::string FormatPercent(double ratio) { return ThreeDigits(ratio * 100) + " %"; }

std::string FormatBytes(int64_t bytes) {
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  return (unit == 0 ? std::to_string(bytes) : FormatNumber(value)) + " " + units[unit];
}

std::string FormatExact(double value) {
  char buffer[64];
  const std::to_chars_result result = std::to_chars(std::begin(buffer), std::end(buffer), value);
  return {buffer, result.ptr};
}

}  // namespace tokensim::cli
