// What a trace format is: the names and units of the columns of its rows, or a parser of its own.
//
// The table of all formats is trace_formats.cc: a format of rows is one entry there and nothing
// else.
//
//   {.name = "lengths_csv",
//    .description = "CSV with columns num_prefill_tokens, num_decode_tokens; no times",
//    .input_key = "num_prefill_tokens",
//    .output_key = "num_decode_tokens"}
//
// A format that no table knows can be read just as well, by handing it to ParseTrace.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/workload/workload.h"

namespace tokensim {

enum class TimeKind : uint8_t {
  kNone,
  kDate,          // YYYY-MM-DD HH:MM:SS[.fraction][Z|+HH:MM]
  kSeconds,       // from any start, >= 0
  kMilliseconds,  // the same
};

// Which data rows (of sharegpt_json: conversations) to keep, counted before skipping; arrivals are
// relative to the first kept row. Rows before the slice are checked like the others, rows after it
// are not read. Keeping no row is INVALID_ARGUMENT.
struct TraceSlice {
  int64_t offset = 0;
  int64_t limit = std::numeric_limits<int64_t>::max();
};

struct TraceFormat {
  // Of a whole file that is not rows; `name` is that of the file, for messages.
  using Parser = absl::StatusOr<TraceTable> (*)(std::string_view contents, const std::string& name,
                                                TraceSlice slice);

  std::string_view name;         // as in specs
  std::string_view description;  // one line, for the catalog

  // Of rows. Other columns and keys are ignored.
  bool json = false;  // an object a line; else CSV with a header
  TimeKind time_kind = TimeKind::kNone;
  bool time_required = false;
  bool zero_output_is_failure = false;  // such rows are skipped
  // Names of CSV columns or JSON keys. input_key tells the formats apart.
  const char* time_key = "";
  const char* input_key = "";
  const char* output_key = "";
  bool conversations = false;  // optional: conversation or session, a text or integer
  bool hash_ids = false;       // optional: hash_ids, integers, one per 512 tokens

  // Instead of rows: it reads all of a file, which begins with the character `opens_with`.
  Parser parse = nullptr;
  char opens_with = '\0';
};

// Every format, in the order of the catalog.
[[nodiscard]] std::span<const TraceFormat> TraceFormats();
// Null when there is none of that name.
[[nodiscard]] const TraceFormat* FindTraceFormat(std::string_view name);

}  // namespace tokensim
