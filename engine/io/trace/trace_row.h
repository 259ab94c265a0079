// One row of a trace file, as text: parsers of CSV and JSON rows.
//
// Errors are INVALID_ARGUMENT with the reason alone; the reader adds file and line. Reasons quote
// at most 40 bytes of the file, escaped to ASCII. Internal to engine/io/trace.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/time.h"
#include "engine/io/trace/trace_format.h"

namespace tokensim {

inline constexpr const char kConversationKey[] = "conversation";
inline constexpr const char kSessionKey[] = "session";
inline constexpr const char kHashIdsKey[] = "hash_ids";
inline constexpr int32_t kHashBlockTokens = 512;  // Mooncake's

// A row whose numbers are in range. Output is 0 only where the layout allows it.
struct TraceRow {
  std::optional<SimTime> time;  // from the format's own start
  int32_t input_tokens = 0;
  int32_t output_tokens = 0;
  std::string conversation;  // empty: none
  std::vector<int64_t> hash_ids;
};

// Splits a CSV line. Fields may be in double quotes, with "" for a quote; blanks around are
// dropped.
[[nodiscard]] absl::Status SplitCsv(std::string_view line, std::vector<std::string>* fields);

// Parses the rows below a header.
class CsvRowParser {
 public:
  [[nodiscard]] static absl::StatusOr<CsvRowParser> Create(const TraceFormat& format,
                                                           const std::vector<std::string>& header);
  [[nodiscard]] absl::Status Parse(std::string_view line, TraceRow* row);

 private:
  explicit CsvRowParser(const TraceFormat& format) : format_(&format) {}

  const TraceFormat* format_;
  size_t num_columns_ = 0;
  std::optional<size_t> time_column_;
  size_t input_column_ = 0;
  size_t output_column_ = 0;
  std::optional<size_t> conversation_column_;
  std::vector<std::string> fields_;  // of the current row; kept for its memory
};

// One JSON object with integer lengths.
[[nodiscard]] absl::Status ParseJsonRow(const TraceFormat& format, std::string_view line,
                                        TraceRow* row);
// The format of a JSON object by its keys.
[[nodiscard]] absl::StatusOr<const TraceFormat*> DetectJsonFormat(std::string_view line);

}  // namespace tokensim
