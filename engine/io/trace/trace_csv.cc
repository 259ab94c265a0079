#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/io/trace/trace_row.h"
#include "engine/io/trace/trace_values.h"

namespace tokensim {
namespace {

constexpr std::string_view kBlanks = " \t";

std::string_view Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// Takes a quoted field off the front of `rest`, which starts with a quote.
absl::Status TakeQuoted(std::string_view* rest, std::string* field) {
  rest->remove_prefix(1);
  while (true) {
    const size_t quote = rest->find('"');
    if (quote == std::string_view::npos) {
      return absl::InvalidArgumentError("a quoted field has no end");
    }
    field->append(rest->substr(0, quote));
    rest->remove_prefix(quote + 1);
    if (rest->empty() || rest->front() != '"') return absl::OkStatus();
    field->push_back('"');
    rest->remove_prefix(1);
  }
}

absl::StatusOr<std::optional<size_t>> FindColumn(const std::vector<std::string>& header,
                                                 const char* name) {
  const auto found = std::find(header.begin(), header.end(), name);
  if (found == header.end()) return std::nullopt;
  if (std::find(found + 1, header.end(), name) != header.end()) {
    return absl::InvalidArgumentError(absl::StrCat("column ", name, " appears twice"));
  }
  return static_cast<size_t>(found - header.begin());
}

absl::StatusOr<size_t> RequireColumn(const std::vector<std::string>& header, const char* name) {
  auto column = FindColumn(header, name);
  if (!column.ok()) return column.status();
  if (!column->has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no column ", name, " in the header ", Quoted(absl::StrJoin(header, ","))));
  }
  return **column;
}

// Column conversation or session.
absl::StatusOr<std::optional<size_t>> FindConversation(const std::vector<std::string>& header) {
  auto conversation = FindColumn(header, kConversationKey);
  if (!conversation.ok()) return conversation;
  auto session = FindColumn(header, kSessionKey);
  if (!session.ok() || !session->has_value()) return session.ok() ? conversation : session;
  if (conversation->has_value()) {
    return absl::InvalidArgumentError("columns conversation and session mean the same; give one");
  }
  return session;
}

absl::StatusOr<int32_t> ParseLength(const char* field, std::string_view text, int32_t min) {
  auto number = ParseNumber(field, text);
  if (!number.ok()) return number.status();
  return ToLength(field, *number, min);
}

absl::StatusOr<SimTime> ParseTime(const char* field, std::string_view text, TimeKind kind) {
  if (kind == TimeKind::kDate) return ParseDate(field, text);
  auto number = ParseNumber(field, text);
  if (!number.ok()) return number.status();
  return ToTime(field, *number, kind);
}

}  // namespace

absl::Status SplitCsv(std::string_view line, std::vector<std::string>* fields) {
  size_t count = 0;
  std::string_view rest = line;
  while (true) {
    if (fields->size() == count) fields->emplace_back();
    std::string& field = (*fields)[count++];
    const size_t start = std::min(rest.find_first_not_of(kBlanks), rest.size());
    if (start < rest.size() && rest[start] == '"') {
      rest.remove_prefix(start);
      field.clear();
      if (auto status = TakeQuoted(&rest, &field); !status.ok()) return status;
      rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
      if (!rest.empty() && rest.front() != ',') {
        return absl::InvalidArgumentError("text after a quoted field");
      }
    } else {
      const size_t comma = std::min(rest.find(','), rest.size());
      field = Trimmed(rest.substr(0, comma));
      rest.remove_prefix(comma);
    }
    if (rest.empty()) break;
    rest.remove_prefix(1);
  }
  fields->resize(count);
  return absl::OkStatus();
}

absl::StatusOr<CsvRowParser> CsvRowParser::Create(const TraceFormat& format,
                                                  const std::vector<std::string>& header) {
  CsvRowParser parser(format);
  parser.num_columns_ = header.size();
  if (format.time_required) {
    auto time = RequireColumn(header, format.time_key);
    if (!time.ok()) return time.status();
    parser.time_column_ = *time;
  } else if (format.time_kind != TimeKind::kNone) {
    auto time = FindColumn(header, format.time_key);
    if (!time.ok()) return time.status();
    parser.time_column_ = *time;
  }
  auto input = RequireColumn(header, format.input_key);
  if (!input.ok()) return input.status();
  auto output = RequireColumn(header, format.output_key);
  if (!output.ok()) return output.status();
  parser.input_column_ = *input;
  parser.output_column_ = *output;
  if (format.conversations) {
    auto conversation = FindConversation(header);
    if (!conversation.ok()) return conversation.status();
    parser.conversation_column_ = *conversation;
  }
  return parser;
}

absl::Status CsvRowParser::Parse(std::string_view line, TraceRow* row) {
  if (auto status = SplitCsv(line, &fields_); !status.ok()) return status;
  if (fields_.size() != num_columns_) {
    return absl::InvalidArgumentError(
        absl::StrCat(fields_.size(), " fields where the header has ", num_columns_));
  }
  row->time.reset();
  if (time_column_.has_value()) {
    auto time = ParseTime(format_->time_key, fields_[*time_column_], format_->time_kind);
    if (!time.ok()) return time.status();
    row->time = *time;
  }
  auto input = ParseLength(format_->input_key, fields_[input_column_], 1);
  if (!input.ok()) return input.status();
  auto output = ParseLength(format_->output_key, fields_[output_column_],
                            format_->zero_output_is_failure ? 0 : 1);
  if (!output.ok()) return output.status();
  row->input_tokens = *input;
  row->output_tokens = *output;
  if (conversation_column_.has_value()) row->conversation = fields_[*conversation_column_];
  return absl::OkStatus();
}

}  // namespace tokensim
