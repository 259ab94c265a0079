// Aligned columns of text.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace tokensim::cli {

enum class Align { kLeft, kRight };

class TextTable {
 public:
  explicit TextTable(std::vector<Align> columns) : columns_(std::move(columns)) {}

  // Cells beyond the columns are ignored, missing ones are empty. Control characters in them are
  // written out.
  void AddRow(std::vector<std::string> cells);
  void Print(std::ostream& out) const;

 private:
  std::vector<Align> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace tokensim::cli
