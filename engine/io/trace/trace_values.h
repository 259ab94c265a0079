// Numbers and dates of trace files. Every error names the field. Internal to engine/io/trace.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/time.h"
#include "engine/io/trace/trace_row.h"

namespace tokensim {

// `text` for a message: at most 40 bytes, escaped to ASCII, in quotes.
[[nodiscard]] std::string Quoted(std::string_view text);

using TraceNumber = std::variant<int64_t, double>;

// A finite decimal number, all of `text`.
[[nodiscard]] absl::StatusOr<TraceNumber> ParseNumber(const char* field, std::string_view text);
// UTC nanoseconds since 1970.
[[nodiscard]] absl::StatusOr<SimTime> ParseDate(const char* field, std::string_view text);

// Checks a length: an integer from `min` to 2^31 - 1.
[[nodiscard]] absl::StatusOr<int32_t> ToLength(const char* field, TraceNumber number, int32_t min);
// Nanoseconds of a time >= 0 in the unit of `kind`.
[[nodiscard]] absl::StatusOr<SimTime> ToTime(const char* field, TraceNumber number, TimeKind kind);

}  // namespace tokensim
