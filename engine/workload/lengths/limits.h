// What distributions that are clamped to [min, max] have in common.
#pragma once

#include <algorithm>
#include <optional>

#include "engine/workload/length_source.h"

namespace tokensim {

inline constexpr char kMin[] = "min";
inline constexpr char kMax[] = "max";
inline constexpr Parameter kMinParameter =
    IntegerParameter(kMin, 1, {.min = 1, .max = kMaxTokens}, "the shortest length", "tokens");
inline constexpr Parameter kMaxParameter = IntegerParameter(
    kMax, kUsualMaxTokens, {.min = 1, .max = kMaxTokens}, "the longest length", "tokens");
// Of a distribution without an end.
inline constexpr Parameter kUsualMaxParameter = Derived(kMaxParameter, "1,000,000, or min");

struct LengthLimits {
  explicit LengthLimits(const ParameterValues& values)
      : min(static_cast<int32_t>(values.integer(kMin))),
        max(static_cast<int32_t>(values.integer(kMax))) {}

  int32_t min;
  int32_t max;
};

[[nodiscard]] inline int64_t ShortestOfLimits(const ParameterValues& values) {
  return values.integer(kMin);
}

inline void CompleteLimits(ParameterValues* values) {
  if (values->IsSet(kMax)) return;
  values->Derive(kMax,
                 static_cast<double>(std::max<int64_t>(kUsualMaxTokens, values->integer(kMin))));
}

[[nodiscard]] inline std::optional<ParameterProblem> CheckLimits(const ParameterValues& values) {
  const int64_t min = values.integer(kMin);
  if (values.integer(kMax) >= min) return std::nullopt;
  Parameter narrower = kMaxParameter;
  narrower.range.min = static_cast<double>(min);
  return ParameterProblem{kMax, ProblemOf(narrower, static_cast<double>(values.integer(kMax)))};
}

}  // namespace tokensim
