// Rows of figures under named columns, for people and for programs.
//
//   ResultTable table({{.name = "rate"}, {.name = "ttft.p99", .unit = Unit::kSeconds}});
//   table.AddRow({Cell::Text("8"), Cell::Number(0.26)});
//   table.Print(TableFormat::kCsv, std::cout);
//
// Tables for people have units and three digits; CSV and JSON have numbers exactly, in the units of
// their names. JSON is a list of objects, one a row; a cell without a value is null there and empty
// in CSV.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/metrics.h"

namespace tokensim::cli {

enum class TableFormat { kTable, kJson, kCsv, kMarkdown };

struct Column {
  std::string name;
  std::string title = "";  // for people; empty: the name
  Unit unit = Unit::kNumber;
};

// The column of a metric by its name in an assertion, with a short title: "requests/s".
[[nodiscard]] Column MetricColumn(const std::string& metric);

// A number, a text (which may read as a number), or nothing.
struct Cell {
  std::optional<double> number;
  std::string text;

  [[nodiscard]] static Cell Number(std::optional<double> number) { return {number, ""}; }
  [[nodiscard]] static Cell Text(std::string text) { return {std::nullopt, std::move(text)}; }
};

class ResultTable {
 public:
  explicit ResultTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell a column.
  void AddRow(std::vector<Cell> cells);

  [[nodiscard]] const std::vector<Column>& columns() const { return columns_; }
  [[nodiscard]] const std::vector<std::vector<Cell>>& rows() const { return rows_; }

  void Print(TableFormat format, std::ostream& out) const;

  // A table with a row for each value of the column `rows`, a column for each of `columns`, and
  // the cells of `value`; where several rows of this table meet, the first. INVALID_ARGUMENT names
  // an unknown column.
  [[nodiscard]] absl::StatusOr<ResultTable> Pivot(const std::string& rows,
                                                  const std::string& columns,
                                                  const std::string& value) const;

 private:
  void PrintText(std::ostream& out) const;
  void PrintMarkdown(std::ostream& out) const;
  void PrintCsv(std::ostream& out) const;
  void PrintJson(std::ostream& out) const;
  // For people.
  [[nodiscard]] std::string Shown(const Cell& cell, const Column& column) const;
  [[nodiscard]] absl::StatusOr<size_t> Find(const std::string& name) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace tokensim::cli
