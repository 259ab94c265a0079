#include "engine/io/trace/trace_reader.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <optional>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/io/trace/trace_row.h"
#include "engine/io/trace/trace_values.h"

namespace tokensim {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// The lines of a file, without line ends (LF or CRLF), byte order mark and blank lines at the end.
class LineReader {
 public:
  explicit LineReader(std::string_view contents) : rest_(contents) {
    if (rest_.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
      rest_.remove_prefix(kByteOrderMark.size());
    }
    const size_t last = rest_.find_last_not_of(" \t\r\n");
    rest_ = rest_.substr(0, last == std::string_view::npos ? 0 : last + 1);
  }

  bool Next(std::string_view* line) {
    if (rest_.empty()) return false;
    const size_t end = std::min(rest_.find('\n'), rest_.size());
    *line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    if (!line->empty() && line->back() == '\r') line->remove_suffix(1);
    ++number_;
    return true;
  }
  // Of the line that Next gave last, from 1.
  [[nodiscard]] int64_t number() const { return number_; }

 private:
  std::string_view rest_;
  int64_t number_ = 0;
};

absl::Status CheckLine(std::string_view line) {
  if (line.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("NUL byte: not a text file");
  }
  if (line.find_first_not_of(" \t") == std::string_view::npos) {
    return absl::InvalidArgumentError("blank line");
  }
  return absl::OkStatus();
}

absl::StatusOr<const TraceFormat*> DetectFormat(std::string_view first_line) {
  if (first_line[first_line.find_first_not_of(" \t")] == '{') return DetectJsonFormat(first_line);
  std::vector<std::string> header;
  if (auto status = SplitCsv(first_line, &header); !status.ok()) return status;
  for (const TraceFormat& format : TraceFormats()) {
    if (format.json || format.parse != nullptr) continue;
    if (std::find(header.begin(), header.end(), format.input_key) != header.end()) return &format;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "unknown format: the first line is neither a known CSV header nor a JSON object: ",
      Quoted(first_line)));
}

// Appends rows to a table; checks what holds between rows.
class TableBuilder {
 public:
  explicit TableBuilder(const TraceFormat& format) : format_(format) {}

  absl::Status Add(const TraceRow& row, bool keep) {
    if (!first_.has_value()) first_ = row;
    if (row.time.has_value() != first_->time.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat(format_.time_key, " must be in every row or in none"));
    }
    if (row.time.has_value()) {
      if (*row.time < last_time_) {
        return absl::InvalidArgumentError(
            absl::StrCat(format_.time_key, " is earlier than in the row before"));
      }
      last_time_ = *row.time;
    }
    if (!keep || row.output_tokens == 0) return absl::OkStatus();
    if (row.time.has_value()) {
      if (table_.arrival.empty()) start_ = *row.time;
      table_.arrival.push_back(*row.time - start_);
    }
    table_.input_tokens.push_back(row.input_tokens);
    table_.output_tokens.push_back(row.output_tokens);
    table_.conversation.push_back(ConversationNumber(row.conversation));
    table_.hash_begin.push_back(static_cast<int64_t>(table_.hash_ids.size()));
    table_.hash_ids.insert(table_.hash_ids.end(), row.hash_ids.begin(), row.hash_ids.end());
    return absl::OkStatus();
  }
  [[nodiscard]] int64_t size() const { return table_.size(); }
  TraceTable Take() {
    if (conversations_.empty()) table_.conversation.clear();
    if (table_.hash_ids.empty()) {
      table_.hash_begin.clear();
    } else {
      table_.hash_begin.push_back(static_cast<int64_t>(table_.hash_ids.size()));
      table_.hash_block_tokens = kHashBlockTokens;
    }
    return std::move(table_);
  }

 private:
  // Numbers in order of appearance.
  int64_t ConversationNumber(const std::string& name) {
    if (name.empty()) return -1;
    return conversations_.try_emplace(name, static_cast<int64_t>(conversations_.size()))
        .first->second;
  }

  const TraceFormat& format_;
  std::optional<TraceRow> first_;
  SimTime last_time_ = 0;
  SimTime start_ = 0;
  std::unordered_map<std::string, int64_t> conversations_;
  TraceTable table_;
};

absl::Status AtLine(const std::string& name, int64_t line, const absl::Status& status) {
  return absl::InvalidArgumentError(
      absl::StrCat(name, ":", line, ": ", std::string(status.message())));
}

// The format and, for CSV, the parser of the rows below the header.
struct RowReader {
  const TraceFormat* format = nullptr;
  std::optional<CsvRowParser> csv;

  absl::Status Parse(std::string_view line, TraceRow* row) {
    return csv.has_value() ? csv->Parse(line, row) : ParseJsonRow(*format, line, row);
  }
};

// `format`: null to find it out.
absl::StatusOr<RowReader> MakeRowReader(const TraceFormat* format, std::string_view first_line) {
  if (auto status = CheckLine(first_line); !status.ok()) return status;
  RowReader result = {.format = format};
  if (format == nullptr) {
    auto detected = DetectFormat(first_line);
    if (!detected.ok()) return detected.status();
    result.format = *detected;
  }
  if (result.format->json) return result;
  std::vector<std::string> header;
  if (auto status = SplitCsv(first_line, &header); !status.ok()) return status;
  auto parser = CsvRowParser::Create(*result.format, header);
  if (!parser.ok()) return parser.status();
  result.csv = *std::move(parser);
  return result;
}

// The first character that is no blank, after a byte order mark; NUL when there is none.
char FirstChar(std::string_view contents) {
  if (contents.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
    contents.remove_prefix(kByteOrderMark.size());
  }
  const size_t first = contents.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? '\0' : contents[first];
}

// That of a file that is not rows; null: of rows, as far as can be seen.
const TraceFormat* DetectWholeFile(std::string_view contents) {
  const char first = FirstChar(contents);
  for (const TraceFormat& format : TraceFormats()) {
    if (format.parse != nullptr && format.opens_with == first) return &format;
  }
  return nullptr;
}

absl::StatusOr<TraceTable> ParseContents(std::string_view contents, const std::string& name,
                                         const TraceFormat* format, TraceSlice slice) {
  if (slice.offset < 0 || slice.limit < 0) {
    return absl::InvalidArgumentError("offset and limit must not be negative");
  }
  if (format == nullptr) format = DetectWholeFile(contents);
  if (format != nullptr && format->parse != nullptr) return format->parse(contents, name, slice);
  LineReader lines(contents);
  std::string_view line;
  if (!lines.Next(&line)) return AtLine(name, 1, absl::InvalidArgumentError("empty file"));
  auto rows = MakeRowReader(format, line);
  if (!rows.ok()) return AtLine(name, lines.number(), rows.status());

  TableBuilder table(*rows->format);
  TraceRow row;
  int64_t index = 0;
  bool more = !rows->csv.has_value() || lines.Next(&line);  // the first line may be a row itself
  for (; more && index - slice.offset < slice.limit; more = lines.Next(&line), ++index) {
    absl::Status status = CheckLine(line);
    if (status.ok()) status = rows->Parse(line, &row);
    if (status.ok()) status = table.Add(row, index >= slice.offset);
    if (!status.ok()) return AtLine(name, lines.number(), status);
  }
  if (table.size() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": no requests: ", index, " rows read, ", "offset ", slice.offset));
  }
  return table.Take();
}

}  // namespace

absl::StatusOr<TraceTable> ParseTrace(std::string_view contents, const std::string& name,
                                      const TraceFormat* format, TraceSlice slice) {
  try {
    return ParseContents(contents, name, format, slice);
  } catch (const std::exception& error) {  // out of memory
    return absl::ResourceExhaustedError(absl::StrCat(name, ": ", error.what()));
  }
}

absl::StatusOr<TraceTable> ReadTraceFile(const std::string& path, const TraceFormat* format,
                                         TraceSlice slice) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return absl::NotFoundError(absl::StrCat(path, ": no such file"));
  }
  std::string contents;
  try {
    std::ifstream file(path, std::ios::binary);
    contents.resize(std::filesystem::file_size(path));
    if (!file.read(contents.data(), static_cast<std::streamsize>(contents.size()))) {
      return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
    }
  } catch (const std::exception& failure) {  // out of memory, or removed meanwhile
    return absl::NotFoundError(absl::StrCat(path, ": cannot be read: ", failure.what()));
  }
  return ParseTrace(contents, path, format, slice);
}

}  // namespace tokensim
