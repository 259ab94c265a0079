// Numbers with units, as 80GiB, 312TFLOPS, 2039GB/s, 800ns.
//
// Which units a field takes follows from the end of its name: _bytes, _flops, _bytes_per_second,
// _seconds, _ns. A plain number is in the base unit. Decimal units are exact: 800ns is the double
// nearest to 8e-7.
//
//   absl::StatusOr<double> t = ParseReal("800ns", UnitsOfField("tpot_seconds"));
//
// Errors are INVALID_ARGUMENT with the reason and the units allowed. Thread-safety: functions
// without state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tokensim {

enum class Units { kNone, kBytes, kFlops, kBytesPerSecond, kSeconds, kNanoseconds };

[[nodiscard]] Units UnitsOfField(std::string_view field_name);

// A finite number, or .inf, -.inf, .nan.
[[nodiscard]] absl::StatusOr<double> ParseReal(std::string_view text, Units units);
// A whole number in [min, max]; 2e6 counts as whole. With a unit, rounded to the nearest.
[[nodiscard]] absl::StatusOr<int64_t> ParseInteger(std::string_view text, Units units, int64_t min,
                                                   int64_t max);
[[nodiscard]] absl::StatusOr<uint64_t> ParseUnsigned(std::string_view text, uint64_t max);

// The shortest text that ParseReal reads back to `value`, with a unit where that is short.
[[nodiscard]] std::string FormatReal(double value, Units units);
[[nodiscard]] std::string FormatInteger(int64_t value, Units units);

}  // namespace tokensim
