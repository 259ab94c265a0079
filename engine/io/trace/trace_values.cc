#include "engine/io/trace/trace_values.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace tokensim {
namespace {

std::string Printed(TraceNumber number) {
  return std::visit([](auto value) { return absl::StrCat(value); }, number);
}

// Takes exactly `digits` digits off the front of `text`.
bool TakeDigits(std::string_view* text, size_t digits, int* value) {
  if (text->size() < digits) return false;
  *value = 0;
  for (const char c : text->substr(0, digits)) {
    if (c < '0' || c > '9') return false;
    *value = *value * 10 + (c - '0');
  }
  text->remove_prefix(digits);
  return true;
}

bool TakeChar(std::string_view* text, std::string_view allowed) {
  if (text->empty() || allowed.find(text->front()) == std::string_view::npos) return false;
  text->remove_prefix(1);
  return true;
}

// An optional .fraction of a second, of 1 to 9 digits, in nanoseconds.
bool TakeFraction(std::string_view* text, int64_t* nanos) {
  *nanos = 0;
  if (!TakeChar(text, ".")) return true;
  int64_t unit = kNanosPerSecond;
  int digit = 0;
  while (unit > 1 && TakeDigits(text, 1, &digit)) {
    unit /= 10;
    *nanos += digit * unit;
  }
  return unit < kNanosPerSecond;
}

// An optional Z or +HH:MM, in seconds east of UTC.
bool TakeZone(std::string_view* text, int64_t* seconds) {
  *seconds = 0;
  if (text->empty() || TakeChar(text, "Z")) return true;
  const int64_t sign = text->front() == '-' ? -1 : 1;
  int hours = 0;
  int minutes = 0;
  if (!TakeChar(text, "+-") || !TakeDigits(text, 2, &hours) || !TakeChar(text, ":") ||
      !TakeDigits(text, 2, &minutes) || hours > 23 || minutes > 59) {
    return false;
  }
  *seconds = sign * (hours * 3600 + minutes * 60);
  return true;
}

}  // namespace

std::string Quoted(std::string_view text) {
  constexpr size_t kMost = 40;
  const std::string_view head = text.substr(0, kMost);
  return absl::StrCat("\"", absl::CHexEscape(absl::string_view(head.data(), head.size())), "\"",
                      text.size() > kMost ? "..." : "");
}

absl::StatusOr<TraceNumber> ParseNumber(const char* field, std::string_view text) {
  const char* const end = text.data() + text.size();
  int64_t integer = 0;
  const auto as_integer = std::from_chars(text.data(), end, integer);
  if (as_integer.ec == std::errc() && as_integer.ptr == end) return TraceNumber(integer);
  double real = 0;
  const auto as_real = std::from_chars(text.data(), end, real);
  if (as_real.ec == std::errc::invalid_argument || as_real.ptr != end) {
    return absl::InvalidArgumentError(absl::StrCat(field, " is not a number: ", Quoted(text)));
  }
  if (as_real.ec != std::errc() || !std::isfinite(real)) {
    return absl::InvalidArgumentError(absl::StrCat(field, " is out of range: ", Quoted(text)));
  }
  return TraceNumber(real);
}

absl::StatusOr<SimTime> ParseDate(const char* field, std::string_view text) {
  std::string_view rest = text;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  int64_t nanos = 0;
  int64_t zone = 0;
  const bool parsed =
      TakeDigits(&rest, 4, &year) && TakeChar(&rest, "-") && TakeDigits(&rest, 2, &month) &&
      TakeChar(&rest, "-") && TakeDigits(&rest, 2, &day) && TakeChar(&rest, " T") &&
      TakeDigits(&rest, 2, &hour) && TakeChar(&rest, ":") && TakeDigits(&rest, 2, &minute) &&
      TakeChar(&rest, ":") && TakeDigits(&rest, 2, &second) && TakeFraction(&rest, &nanos) &&
      TakeZone(&rest, &zone) && rest.empty();
  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  // Nanoseconds since 1970 are positive in every zone, and fit until 2262.
  if (!parsed || !date.ok() || year < 1971 || year > 2261 || hour > 23 || minute > 59 ||
      second > 59) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " is not a date such as 2023-11-16 18:15:46.6805900: ", Quoted(text)));
  }
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return (days * 86'400 + hour * 3600 + minute * 60 + second - zone) * kNanosPerSecond + nanos;
}

absl::StatusOr<int32_t> ToLength(const char* field, TraceNumber number, int32_t min) {
  constexpr int32_t kMost = std::numeric_limits<int32_t>::max();
  const bool in_range =
      std::visit([min](auto value) { return value >= min && value <= kMost; }, number);
  if (!in_range) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " must be ", min, " .. ", kMost, ", not ", Printed(number)));
  }
  if (const auto* integer = std::get_if<int64_t>(&number)) return static_cast<int32_t>(*integer);
  return absl::InvalidArgumentError(absl::StrCat(field, " is not an integer: ", Printed(number)));
}

absl::StatusOr<SimTime> ToTime(const char* field, TraceNumber number, TimeKind kind) {
  const int64_t unit = kind == TimeKind::kMilliseconds ? 1'000'000 : kNanosPerSecond;
  const double approximate =
      std::visit([](auto value) { return static_cast<double>(value); }, number) *
      static_cast<double>(unit);
  if (approximate < 0) {
    return absl::InvalidArgumentError(absl::StrCat(field, " is negative: ", Printed(number)));
  }
  if (approximate >= 9.2e18) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " is more than 292 years: ", Printed(number)));
  }
  // Integers stay exact.
  if (const auto* integer = std::get_if<int64_t>(&number)) return *integer * unit;
  return static_cast<SimTime>(approximate + 0.5);
}

}  // namespace tokensim
