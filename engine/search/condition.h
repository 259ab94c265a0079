// A condition on the values of a point: `prefill.count + decode.count == 8 and rate < 20`.
//
//   absl::StatusOr<Condition> condition = Condition::Parse(text, columns);
//   if (condition->Holds(cells)) ...
//
// Numbers with + - * / and parentheses; < <= > >= == !=; `and`, `or`, `not`. A name is a column,
// whole or from one of its dots on (`count` for `workers.gpu.count`) when only one column ends so.
// Text is compared in quotes: `policy == 'sjf'`. Text where a number is wanted, or the reverse, makes
// a comparison false.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tokensim::search {

class Condition {
 public:
  // INVALID_ARGUMENT says what is wrong and where.
  [[nodiscard]] static absl::StatusOr<Condition> Parse(absl::string_view text,
                                                       const std::vector<std::string>& columns);

  // `cells` are the values of the columns.
  [[nodiscard]] bool Holds(const std::vector<std::string>& cells) const;

  struct Node;  // of the expression; condition.cc

 private:
  explicit Condition(std::shared_ptr<const Node> root) : root_(std::move(root)) {}

  std::shared_ptr<const Node> root_;
};

}  // namespace tokensim::search
