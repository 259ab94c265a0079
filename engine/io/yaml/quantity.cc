#include "engine/io/yaml/quantity.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <span>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/math.h"
#include "engine/base/nearest.h"

namespace tokensim {
namespace {

// One unit is 10^exponent * factor of the base unit.
struct Unit {
  const char* name;
  int exponent;
  int64_t factor;
};

constexpr int64_t kKi = 1024;
// Smallest first.
constexpr Unit kBytes[] = {{"B", 0, 1},   {"kB", 3, 1},
                           {"KB", 3, 1},  {"KiB", 0, kKi},
                           {"MB", 6, 1},  {"MiB", 0, kKi* kKi},
                           {"GB", 9, 1},  {"GiB", 0, kKi* kKi* kKi},
                           {"TB", 12, 1}, {"TiB", 0, kKi* kKi* kKi* kKi}};
constexpr Unit kBytesPerSecond[] = {{"B/s", 0, 1},   {"kB/s", 3, 1},
                                    {"KB/s", 3, 1},  {"KiB/s", 0, kKi},
                                    {"MB/s", 6, 1},  {"MiB/s", 0, kKi* kKi},
                                    {"GB/s", 9, 1},  {"GiB/s", 0, kKi* kKi* kKi},
                                    {"TB/s", 12, 1}, {"TiB/s", 0, kKi* kKi* kKi* kKi}};
constexpr Unit kFlops[] = {{"FLOPS", 0, 1},  {"kFLOPS", 3, 1},  {"MFLOPS", 6, 1},
                           {"GFLOPS", 9, 1}, {"TFLOPS", 12, 1}, {"PFLOPS", 15, 1}};
// The micro sign (U+00B5) and the Greek letter (U+03BC) look alike; both are typed.
constexpr Unit kSeconds[] = {{"ns", -9, 1}, {"us", -6, 1}, {"\u00B5s", -6, 1}, {"\u03BCs", -6, 1},
                             {"ms", -3, 1}, {"s", 0, 1},   {"min", 0, 60},     {"h", 0, 3600}};
constexpr Unit kNanoseconds[] = {{"ns", 0, 1}, {"us", 3, 1}, {"\u00B5s", 3, 1}, {"\u03BCs", 3, 1},
                                 {"ms", 6, 1}, {"s", 9, 1},  {"min", 9, 60},    {"h", 9, 3600}};

bool SameSize(const Unit& a, const Unit& b) {
  return a.exponent == b.exponent && a.factor == b.factor;
}

std::span<const Unit> Table(Units units) {
  switch (units) {
    case Units::kBytes:
      return kBytes;
    case Units::kFlops:
      return kFlops;
    case Units::kBytesPerSecond:
      return kBytesPerSecond;
    case Units::kSeconds:
      return kSeconds;
    case Units::kNanoseconds:
      return kNanoseconds;
    case Units::kNone:
      break;
  }
  return {};
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// "-1.5e3 GiB" in its parts.
struct Parts {
  std::string mantissa;  // sign, digits, point
  int exponent = 0;
  bool point = false;
  std::string_view unit;
};

size_t SkipDigits(std::string_view text, size_t i) {
  while (i < text.size() && IsDigit(text[i])) ++i;
  return i;
}

// Nothing when the text does not begin with a number.
std::optional<Parts> Split(std::string_view text) {
  text = Trim(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const size_t sign = !text.empty() && text.front() == '-' ? 1 : 0;
  size_t i = SkipDigits(text, sign);
  size_t digits = i - sign;
  Parts parts;
  if (i < text.size() && text[i] == '.') {
    const size_t end = SkipDigits(text, i + 1);
    digits += end - i - 1;
    i = end;
    parts.point = true;
  }
  if (digits == 0 || i > 1000) return std::nullopt;
  parts.mantissa = text.substr(0, i);
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    const size_t j = i + 1 + (i + 1 < text.size() && (text[i + 1] == '+' || text[i + 1] == '-'));
    const size_t end = SkipDigits(text, j);
    if (end > j) {
      if (end - j > 6) return std::nullopt;
      const size_t begin = text[i + 1] == '+' ? i + 2 : i + 1;
      std::from_chars(text.data() + begin, text.data() + end, parts.exponent);
      i = end;
    }
  }
  parts.unit = Trim(text.substr(i));
  return parts;
}

std::vector<std::string> UnitNames(Units units) {
  std::vector<std::string> names;
  for (const Unit& unit : Table(units)) {
    if (std::string_view(unit.name) != "\u03BCs") names.emplace_back(unit.name);
  }
  return names;
}

const char* Example(Units units) {
  switch (units) {
    case Units::kBytes:
      return ", as 80GiB";
    case Units::kFlops:
      return ", as 312TFLOPS";
    case Units::kBytesPerSecond:
      return ", as 2039GB/s";
    case Units::kSeconds:
    case Units::kNanoseconds:
      return ", as 800ns or 15s";
    case Units::kNone:
      break;
  }
  return "";
}

absl::Status NotANumber(std::string_view text, Units units, const char* what) {
  return absl::InvalidArgumentError(
      absl::StrCat("expected ", what, Example(units), "; got ", Quote(text)));
}

absl::StatusOr<Unit> FindUnit(std::string_view name, Units units) {
  if (name.empty()) return Unit{"", 0, 1};
  for (const Unit& unit : Table(units)) {
    if (unit.name == name) return unit;
  }
  const std::vector<std::string> names = UnitNames(units);
  if (names.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("takes a number without a unit, got ", Quote(name)));
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown unit ", Quote(name), ": units are ",
                                                 absl::StrJoin(names, ", "),
                                                 DidYouMean(name, names)));
}

double ToDouble(const std::string& text) {
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  // Beyond the range of doubles the value is left alone; strtod gives 0 or infinity.
  if (result.ec == std::errc::result_out_of_range) value = std::strtod(text.c_str(), nullptr);
  return value;
}

double Value(const Parts& parts, const Unit& unit) {
  const std::string decimal = absl::StrCat(parts.mantissa, "e", parts.exponent + unit.exponent);
  return ToDouble(decimal) * static_cast<double>(unit.factor);
}

std::optional<double> SpecialReal(std::string_view text) {
  if (text == ".inf" || text == ".Inf" || text == ".INF") return HUGE_VAL;
  if (text == "-.inf" || text == "-.Inf" || text == "-.INF") return -HUGE_VAL;
  if (text == ".nan" || text == ".NaN" || text == ".NAN") return std::nan("");
  return std::nullopt;
}

absl::Status OutOfRange(std::string_view text, int64_t min, int64_t max) {
  return absl::InvalidArgumentError(absl::StrCat(Quote(text), " is outside ", min, " .. ", max));
}

// An integer literal times an integer unit, without a detour through doubles.
std::optional<int64_t> ExactInteger(const Parts& parts, const Unit& unit) {
  int64_t value = 0;
  const char* end = parts.mantissa.data() + parts.mantissa.size();
  const auto result = std::from_chars(parts.mantissa.data(), end, value);
  const int exponent = parts.exponent + unit.exponent;
  if (parts.point || result.ec != std::errc() || result.ptr != end) return std::nullopt;
  if (exponent < 0 || exponent > 18) return std::nullopt;
  for (int i = 0; i < exponent; ++i) {
    if (__builtin_mul_overflow(value, 10, &value)) return std::nullopt;
  }
  if (__builtin_mul_overflow(value, unit.factor, &value)) return std::nullopt;
  return value;
}

std::string Shortest(double value) {
  char buffer[40];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value);
  return {buffer, result.ptr};
}

}  // namespace

Units UnitsOfField(std::string_view field_name) {
  const auto ends = [&](std::string_view suffix) {
    return field_name.size() >= suffix.size() &&
           field_name.substr(field_name.size() - suffix.size()) == suffix;
  };
  if (ends("_bytes_per_second")) return Units::kBytesPerSecond;
  if (ends("_bytes")) return Units::kBytes;
  if (ends("_flops")) return Units::kFlops;
  if (ends("_seconds")) return Units::kSeconds;
  if (ends("_ns")) return Units::kNanoseconds;
  return Units::kNone;
}

absl::StatusOr<double> ParseReal(std::string_view text, Units units) {
  if (const auto special = SpecialReal(text)) return *special;
  const std::optional<Parts> parts = Split(text);
  if (!parts) return NotANumber(text, units, "a number");
  absl::StatusOr<Unit> unit = FindUnit(parts->unit, units);
  if (!unit.ok()) return unit.status();
  const double value = Value(*parts, *unit);
  if (!std::isfinite(value)) {
    return absl::InvalidArgumentError(absl::StrCat(Quote(text), " is too large"));
  }
  return value;
}

absl::StatusOr<int64_t> ParseInteger(std::string_view text, Units units, int64_t min, int64_t max) {
  const std::optional<Parts> parts = Split(text);
  if (!parts) return NotANumber(text, units, "a whole number");
  absl::StatusOr<Unit> unit = FindUnit(parts->unit, units);
  if (!unit.ok()) return unit.status();
  std::optional<int64_t> value = ExactInteger(*parts, *unit);
  if (!value) {
    const double real = Value(*parts, *unit);
    const double whole = std::nearbyint(real);
    if (!(std::abs(real) < 9.2e18)) return OutOfRange(text, min, max);
    const bool rounds = !parts->unit.empty();
    if (!rounds && (whole != real || std::abs(real) > 9007199254740992.0)) {
      return NotANumber(text, units, "a whole number");
    }
    value = static_cast<int64_t>(whole);
  }
  if (*value < min || *value > max) return OutOfRange(text, min, max);
  return *value;
}

absl::StatusOr<uint64_t> ParseUnsigned(std::string_view text, uint64_t max) {
  uint64_t value = 0;
  const std::string_view digits = Trim(text);
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || result.ptr != digits.data() + digits.size()) {
    return NotANumber(text, Units::kNone, "a whole number");
  }
  if (result.ec != std::errc() || value > max) {
    return absl::InvalidArgumentError(absl::StrCat(Quote(text), " is outside 0 .. ", max));
  }
  return value;
}

std::string FormatReal(double value, Units units) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value > 0 ? ".inf" : "-.inf";
  const std::string plain = Shortest(value);
  if (value == 0) return plain;
  const std::span<const Unit> table = Table(units);
  for (size_t i = table.size(); i-- > 0;) {
    const Unit& unit = table[i];
    if (i > 0 && SameSize(table[i - 1], unit)) continue;  // the first name of each
    const double power = math::PowerOf(10, std::abs(unit.exponent));
    const double scaled =
        value / ((unit.exponent < 0 ? 1 / power : power) * static_cast<double>(unit.factor));
    if (std::abs(scaled) < 1 || std::abs(scaled) >= 1e6) continue;
    char buffer[40];
    const auto result =
        std::to_chars(buffer, buffer + sizeof(buffer), scaled, std::chars_format::general, 5);
    const std::string text = absl::StrCat(std::string(buffer, result.ptr), unit.name);
    const auto parsed = ParseReal(text, units);
    if (parsed.ok() && *parsed == value) return text;
  }
  return plain;
}

std::string FormatInteger(int64_t value, Units units) {
  const std::span<const Unit> table = Table(units);
  for (size_t i = table.size(); value != 0 && i-- > 0;) {
    const Unit& unit = table[i];
    if (i > 0 && SameSize(table[i - 1], unit)) continue;
    int64_t scale = unit.factor;
    for (int e = 0; e < unit.exponent; ++e) scale *= 10;
    if (scale > 1 && value % scale == 0) return absl::StrCat(value / scale, unit.name);
  }
  return absl::StrCat(value);
}

}  // namespace tokensim
