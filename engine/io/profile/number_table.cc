#include "engine/io/profile/number_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"

namespace tokensim {
namespace {

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool ParseNumber(std::string_view text, double* value) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, *value);
  return error == std::errc() && rest == end && std::isfinite(*value);
}

// Where a column is in the header; -1: nowhere.
int IndexOf(const std::vector<std::string_view>& header, std::string_view name) {
  const auto found = std::find(header.begin(), header.end(), name);
  return found == header.end() ? -1 : static_cast<int>(found - header.begin());
}

}  // namespace

absl::StatusOr<NumberTable> NumberTable::Read(const std::string& path, std::string_view text_column,
                                              const std::vector<std::string>& columns,
                                              Blank blank) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  std::ostringstream content;
  content << file.rdbuf();
  return Parse(content.str(), path, text_column, columns, blank);
}

absl::StatusOr<NumberTable> NumberTable::Parse(std::string_view content, const std::string& path,
                                               std::string_view text_column,
                                               const std::vector<std::string>& columns,
                                               Blank blank) {
  NumberTable table;
  table.names_ = columns;
  table.numbers_.resize(columns.size());
  int64_t line_number = 0;
  for (std::string_view line : Split(content, '\n')) {
    ++line_number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const std::vector<std::string_view> fields = Split(line, ',');
    if (table.number_at_.empty()) {
      for (const std::string& name : columns) {
        table.number_at_.push_back(IndexOf(fields, name));
        if (table.number_at_.back() < 0) {
          return absl::InvalidArgumentError(absl::StrCat(path, " has no column ", name));
        }
      }
      if (text_column.empty()) continue;
      table.text_at_ = IndexOf(fields, text_column);
      if (table.text_at_ < 0) {
        return absl::InvalidArgumentError(
            absl::StrCat(path, " has no column ", std::string(text_column)));
      }
      continue;
    }
    if (blank == Blank::kSkip && table.HasBlank(fields)) continue;
    const absl::Status status = table.AddRow(fields);
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", line_number, ": ", status.message()));
    }
  }
  if (table.rows() == 0) return absl::InvalidArgumentError(absl::StrCat(path, " has no rows"));
  return table;
}

bool NumberTable::HasBlank(const std::vector<std::string_view>& fields) const {
  return std::any_of(number_at_.begin(), number_at_.end(), [&](int at) {
    return at < static_cast<int>(fields.size()) && fields[static_cast<size_t>(at)].empty();
  });
}

absl::Status NumberTable::AddRow(const std::vector<std::string_view>& fields) {
  const int needed = std::max(text_at_, *std::max_element(number_at_.begin(), number_at_.end()));
  if (needed >= static_cast<int>(fields.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", fields.size(), " fields, needs ", needed + 1));
  }
  for (size_t i = 0; i < names_.size(); ++i) {
    const std::string_view field = fields[static_cast<size_t>(number_at_[i])];
    double value = 0;
    if (!ParseNumber(field, &value)) {
      return absl::InvalidArgumentError(
          absl::StrCat(names_[i], " is \"", std::string(field.substr(0, 40)), "\", not a number"));
    }
    numbers_[i].push_back(value);
  }
  if (text_at_ >= 0) text_.emplace_back(fields[static_cast<size_t>(text_at_)]);
  return absl::OkStatus();
}

}  // namespace tokensim
