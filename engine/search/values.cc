#include "engine/search/values.h"

#include <cmath>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "engine/base/math.h"

namespace tokensim::search {

namespace {

using Values = std::vector<std::string>;

absl::Status Invalid(absl::string_view text, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("'", text, "': ", what));
}

absl::Status TooMany(absl::string_view text) {
  return Invalid(text, absl::StrCat("at most ", kMaxValues, " values"));
}

bool IsWhole(double value) { return value == std::floor(value) && std::abs(value) < 1e15; }

// From, to, and what follows the colon, if anything.
struct Range {
  double from = 0;
  double to = 0;
  std::string step;
};

// Nothing: the text is no range but a value, as "../trace.csv" is.
std::optional<Range> AsRange(absl::string_view text) {
  const size_t dots = text.find("..");
  if (dots == absl::string_view::npos) return std::nullopt;
  const size_t colon = text.find(':', dots);
  Range range;
  const absl::string_view to = colon == absl::string_view::npos
                                   ? text.substr(dots + 2)
                                   : text.substr(dots + 2, colon - dots - 2);
  if (!absl::SimpleAtod(text.substr(0, dots), &range.from) || !absl::SimpleAtod(to, &range.to) ||
      !std::isfinite(range.from) || !std::isfinite(range.to)) {
    return std::nullopt;
  }
  if (colon != absl::string_view::npos) range.step = std::string(text.substr(colon + 1));
  return range;
}

absl::StatusOr<Values> BySteps(absl::string_view text, const Range& range, double step) {
  if (!(step > 0) || !std::isfinite(step)) return Invalid(text, "the step must be above 0");
  // A step that meets the end only but for rounding meets it.
  const double count = std::floor((range.to - range.from) / step * (1 + 1e-12) + 1e-9) + 1;
  if (count > static_cast<double>(kMaxValues)) return TooMany(text);
  Values values;
  for (int64_t i = 0; i < static_cast<int64_t>(count); ++i) {
    values.push_back(NumberText(range.from + static_cast<double>(i) * step));
  }
  return values;
}

absl::StatusOr<Values> ByFactor(absl::string_view text, const Range& range, double factor) {
  if (!(factor > 1) || !std::isfinite(factor)) return Invalid(text, "the factor must be above 1");
  if (!(range.from > 0)) return Invalid(text, "a range by a factor begins above 0");
  Values values;
  // A factor that meets the end only but for rounding meets it.
  for (double value = range.from; value <= range.to * (1 + 1e-9); value *= factor) {
    if (values.size() == kMaxValues) return TooMany(text);
    values.push_back(NumberText(value));
  }
  return values;
}

absl::StatusOr<Values> Spread(absl::string_view text, const Range& range, absl::string_view count,
                              bool logarithmic) {
  int64_t points = 0;
  if (!absl::SimpleAtoi(count, &points) || points < 2) {
    return Invalid(text, "lin and log are followed by a number of values, at least 2, as log5");
  }
  if (points > static_cast<int64_t>(kMaxValues)) return TooMany(text);
  if (logarithmic && !(range.from > 0))
    return Invalid(text, "a range on a log scale begins above 0");
  Values values;
  for (int64_t i = 0; i < points; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(points - 1);
    values.push_back(
        NumberText(logarithmic ? range.from * math::Exp(share * math::Log(range.to / range.from))
                               : range.from + (range.to - range.from) * share));
  }
  return values;
}

absl::StatusOr<Values> Expand(absl::string_view text, const Range& range) {
  if (range.to < range.from)
    return Invalid(text, "a range goes from the smaller value to the larger");
  absl::string_view step = range.step;
  if (step.empty()) {
    if (!IsWhole(range.from) || !IsWhole(range.to)) {
      return Invalid(text, "a range of fractions needs a step, as 0.5..2:0.5, 1..16:x2, 0..1:lin5");
    }
    return BySteps(text, range, 1);
  }
  double number = 0;
  if (absl::ConsumePrefix(&step, "lin")) return Spread(text, range, step, false);
  if (absl::ConsumePrefix(&step, "log")) return Spread(text, range, step, true);
  const bool factor = absl::ConsumePrefix(&step, "x");
  if (!absl::SimpleAtod(step, &number)) {
    return Invalid(text, "after the colon: a step, xFACTOR, linCOUNT or logCOUNT");
  }
  return factor ? ByFactor(text, range, number) : BySteps(text, range, number);
}

}  // namespace

std::vector<std::string> SplitOutsideBrackets(absl::string_view text, char separator) {
  std::vector<std::string> parts;
  int depth = 0;
  char quote = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : separator;
    if (i == text.size() || (c == separator && depth <= 0 && quote == 0)) {
      parts.emplace_back(absl::StripAsciiWhitespace(text.substr(begin, i - begin)));
      begin = i + 1;
    } else if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '(' || c == '[' || c == '{') {
      ++depth;
    } else if (c == ')' || c == ']' || c == '}') {
      --depth;
    }
  }
  return parts;
}

std::string NumberText(double value) { return absl::StrFormat("%.12g", value); }

absl::StatusOr<std::vector<std::string>> ParseValues(absl::string_view text) {
  Values values;
  for (const std::string& part : SplitOutsideBrackets(text, ',')) {
    if (part.empty()) return Invalid(text, "a value is missing");
    const std::optional<Range> range = AsRange(part);
    if (!range) {
      values.push_back(part);
    } else {
      const absl::StatusOr<Values> expanded = Expand(part, *range);
      if (!expanded.ok()) return expanded.status();
      values.insert(values.end(), expanded->begin(), expanded->end());
    }
    if (values.size() > kMaxValues) return TooMany(text);
  }
  return values;
}

}  // namespace tokensim::search
