// One row of a trace file, as text: the shapes of the known formats, and parsers of CSV and JSON
// rows.
//
// Errors are INVALID_ARGUMENT with the reason alone; the reader adds file and line. Reasons quote
// at most 40 bytes of the file, escaped to ASCII. Internal to engine/workload.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/time.h"
#include "engine/io/trace/trace_reader.h"

namespace tokensim {

enum class TimeKind {
  kNone,
  kDate,          // YYYY-MM-DD HH:MM:SS[.fraction][Z|+HH:MM]
  kSeconds,       // from any start, >= 0
  kMilliseconds,  // the same
};

// What a row of a format looks like. Other columns and keys are ignored.
struct TraceLayout {
  TraceFormatInfo info;
  bool json;
  TimeKind time_kind;
  bool time_required;
  bool zero_output_is_failure;  // such rows are skipped
  // Names of CSV columns or JSON keys. input_key tells the formats apart.
  const char* time_key;
  const char* input_key;
  const char* output_key;
  bool conversations = false;  // optional: conversation or session, a text or integer
  bool hash_ids = false;       // optional: hash_ids, integers, one per kHashBlockTokens
};

inline constexpr const char kConversationKey[] = "conversation";
inline constexpr const char kSessionKey[] = "session";
inline constexpr const char kHashIdsKey[] = "hash_ids";
inline constexpr int32_t kHashBlockTokens = 512;  // Mooncake's

[[nodiscard]] const std::array<TraceLayout, 6>& TraceLayouts();

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
  [[nodiscard]] static absl::StatusOr<CsvRowParser> Create(const TraceLayout& layout,
                                                           const std::vector<std::string>& header);
  [[nodiscard]] absl::Status Parse(std::string_view line, TraceRow* row);

 private:
  explicit CsvRowParser(const TraceLayout& layout) : layout_(&layout) {}

  const TraceLayout* layout_;
  size_t num_columns_ = 0;
  std::optional<size_t> time_column_;
  size_t input_column_ = 0;
  size_t output_column_ = 0;
  std::optional<size_t> conversation_column_;
  std::vector<std::string> fields_;  // of the current row; kept for its memory
};

// One JSON object with integer lengths.
[[nodiscard]] absl::Status ParseJsonRow(const TraceLayout& layout, std::string_view line,
                                        TraceRow* row);
// The layout of a JSON object by its keys.
[[nodiscard]] absl::StatusOr<const TraceLayout*> DetectJsonLayout(std::string_view line);

}  // namespace tokensim
