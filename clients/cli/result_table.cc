#include "clients/cli/result_table.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "clients/cli/printable.h"
#include "clients/cli/text_table.h"
#include "clients/cli/units.h"
#include "engine/base/nearest.h"

namespace tokensim::cli {

namespace {

// As RFC 4180: quoted where it has to be.
std::string CsvText(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return '"' + absl::StrReplaceAll(text, {{"\"", "\"\""}}) + '"';
}

std::string CsvCell(const Cell& cell) {
  return cell.number ? FormatExact(*cell.number) : CsvText(cell.text);
}

nlohmann::ordered_json JsonCell(const Cell& cell) {
  if (cell.number) return *cell.number;
  if (cell.text.empty()) return nullptr;
  const auto read = nlohmann::ordered_json::parse(cell.text, nullptr, false);
  return read.is_number() ? read : nlohmann::ordered_json(cell.text);
}

// What tells one value from another.
std::string KeyOf(const Cell& cell) { return cell.number ? FormatExact(*cell.number) : cell.text; }

// Values in the order they come first.
std::vector<std::string> Distinct(const std::vector<std::vector<Cell>>& rows, size_t column) {
  std::vector<std::string> values;
  for (const std::vector<Cell>& row : rows) {
    const std::string value = KeyOf(row[column]);
    if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
  }
  return values;
}

constexpr std::pair<std::string_view, std::string_view> kTitles[] = {
    {"throughput.requests_per_second", "requests/s"},
    {"throughput.output_tokens_per_second", "output tokens/s"},
    {"slo.attainment", "within SLO"},
    {"cost.dollars_per_hour", "$/hour"},
    {"cost.dollars_per_million_output_tokens", "$/M output tokens"},
    {"cost.requests_per_dollar", "requests/$"}};

}  // namespace

Column MetricColumn(const std::string& metric) {
  Column column{.name = metric};
  const std::vector<Metric> known = MetricsFor(metric);
  if (const Metric* found = FindMetric(known, metric)) column.unit = found->unit;
  for (const auto& [name, title] : kTitles) {
    if (name == metric) column.title = title;
  }
  return column;
}

void ResultTable::AddRow(std::vector<Cell> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string ResultTable::Shown(const Cell& cell, const Column& column) const {
  if (cell.number) return FormatMetric({column.name, "", column.unit, cell.number});
  return cell.text.empty() ? "-" : Printable(cell.text);
}

void ResultTable::PrintText(std::ostream& out) const {
  std::vector<Align> align;
  std::vector<std::string> names;
  for (size_t i = 0; i < columns_.size(); ++i) {
    const bool text = std::any_of(rows_.begin(), rows_.end(), [i](const std::vector<Cell>& row) {
      double number = 0;
      return !row[i].text.empty() && !absl::SimpleAtod(row[i].text, &number);
    });
    align.push_back(text ? Align::kLeft : Align::kRight);
    names.push_back(columns_[i].title.empty() ? columns_[i].name : columns_[i].title);
  }
  TextTable table(align);
  table.AddRow(names);
  for (const std::vector<Cell>& row : rows_) {
    std::vector<std::string> cells;
    for (size_t i = 0; i < columns_.size(); ++i) cells.push_back(Shown(row[i], columns_[i]));
    table.AddRow(std::move(cells));
  }
  table.Print(out);
}

void ResultTable::PrintMarkdown(std::ostream& out) const {
  const auto cell = [](const std::string& text) {
    return absl::StrReplaceAll(text, {{"|", "\\|"}});
  };
  for (const Column& column : columns_) {
    out << "| " << cell(column.title.empty() ? column.name : column.title) << ' ';
  }
  out << "|\n";
  for (size_t i = 0; i < columns_.size(); ++i) out << "|---";
  out << "|\n";
  for (const std::vector<Cell>& row : rows_) {
    for (size_t i = 0; i < columns_.size(); ++i) {
      out << "| " << cell(Shown(row[i], columns_[i])) << ' ';
    }
    out << "|\n";
  }
}

void ResultTable::PrintCsv(std::ostream& out) const {
  for (size_t i = 0; i < columns_.size(); ++i) {
    out << (i == 0 ? "" : ",") << CsvText(columns_[i].name);
  }
  out << '\n';
  for (const std::vector<Cell>& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) out << (i == 0 ? "" : ",") << CsvCell(row[i]);
    out << '\n';
  }
}

void ResultTable::PrintJson(std::ostream& out) const {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const std::vector<Cell>& row : rows_) {
    nlohmann::ordered_json object;
    for (size_t i = 0; i < columns_.size(); ++i) object[columns_[i].name] = JsonCell(row[i]);
    list.push_back(std::move(object));
  }
  out << list.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

void ResultTable::Print(TableFormat format, std::ostream& out) const {
  switch (format) {
    case TableFormat::kTable:
      return PrintText(out);
    case TableFormat::kMarkdown:
      return PrintMarkdown(out);
    case TableFormat::kCsv:
      return PrintCsv(out);
    case TableFormat::kJson:
      return PrintJson(out);
  }
}

absl::StatusOr<size_t> ResultTable::Find(const std::string& name) const {
  std::vector<std::string> names;
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].name == name) return i;
    names.push_back(columns_[i].name);
  }
  return absl::InvalidArgumentError("there is no column '" + name + "'" + DidYouMean(name, names));
}

absl::StatusOr<ResultTable> ResultTable::Pivot(const std::string& rows, const std::string& columns,
                                               const std::string& value) const {
  const absl::StatusOr<size_t> row = Find(rows);
  const absl::StatusOr<size_t> column = Find(columns);
  const absl::StatusOr<size_t> cell = Find(value);
  for (const auto* found : {&row, &column, &cell}) {
    if (!found->ok()) return found->status();
  }
  const std::vector<std::string> across = Distinct(rows_, *column);
  std::vector<Column> header = {{.name = rows + " \\ " + columns}};
  for (const std::string& name : across) {
    header.push_back({.name = name, .title = "", .unit = columns_[*cell].unit});
  }
  ResultTable pivot(std::move(header));
  for (const std::string& down : Distinct(rows_, *row)) {
    std::vector<Cell> cells = {Cell::Text(down)};
    for (const std::string& name : across) {
      const auto at = std::find_if(rows_.begin(), rows_.end(), [&](const std::vector<Cell>& r) {
        return KeyOf(r[*row]) == down && KeyOf(r[*column]) == name;
      });
      cells.push_back(at == rows_.end() ? Cell() : (*at)[*cell]);
    }
    pivot.AddRow(std::move(cells));
  }
  return pivot;
}

}  // namespace tokensim::cli
