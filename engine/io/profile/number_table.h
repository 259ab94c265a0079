// A CSV file of numbers, and of names in one column at most: the files of a profile bundle.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tokensim {

class NumberTable {
 public:
  // Reads the columns; others are ignored. `text_column` (may be empty) holds names, all other
  // columns finite numbers. Rows with an empty field are left out with kSkip, else an error.
  enum class Blank : uint8_t { kRefuse, kSkip };
  [[nodiscard]] static absl::StatusOr<NumberTable> Read(const std::string& path,
                                                        std::string_view text_column,
                                                        const std::vector<std::string>& columns,
                                                        Blank blank = Blank::kRefuse);
  [[nodiscard]] static absl::StatusOr<NumberTable> Parse(std::string_view content,
                                                         const std::string& path,
                                                         std::string_view text_column,
                                                         const std::vector<std::string>& columns,
                                                         Blank blank = Blank::kRefuse);

  [[nodiscard]] size_t rows() const { return numbers_.empty() ? 0 : numbers_[0].size(); }
  // By the index in `columns`.
  [[nodiscard]] const std::vector<double>& column(size_t i) const { return numbers_[i]; }
  [[nodiscard]] const std::vector<std::string>& text() const { return text_; }

 private:
  [[nodiscard]] bool HasBlank(const std::vector<std::string_view>& fields) const;
  absl::Status AddRow(const std::vector<std::string_view>& fields);

  std::vector<int> number_at_;  // field of each column
  std::vector<std::string> names_;
  int text_at_ = -1;
  std::vector<std::vector<double>> numbers_;
  std::vector<std::string> text_;
};

}  // namespace tokensim
