#include "engine/search/condition.h"

#include <cctype>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace tokensim::search {

// What a node is worth: a number, or text.
struct Value {
  std::optional<double> number;
  std::string text;

  [[nodiscard]] bool truth() const { return number && *number != 0; }
};

struct Condition::Node {
  enum class Kind { kNumber, kText, kColumn, kOperator };

  Kind kind = Kind::kNumber;
  double number = 0;
  std::string text;   // a text, or the operator
  size_t column = 0;  // of cells
  std::shared_ptr<const Node> left;
  std::shared_ptr<const Node> right;  // null for "not" and the sign "neg"
};

namespace {

using Node = Condition::Node;
using NodePtr = std::shared_ptr<const Node>;

constexpr int kMaxDepth = 100;
constexpr size_t kMaxLength = 4096;  // a chain of operators is as deep as it is long

Value Of(double number) { return {.number = number, .text = ""}; }

// Both sides as numbers, if they are.
Value Calculate(absl::string_view op, const Value& a, const Value& b) {
  if (!a.number || !b.number) return {};
  const double x = *a.number;
  const double y = *b.number;
  if (op == "+") return Of(x + y);
  if (op == "-") return Of(x - y);
  if (op == "*") return Of(x * y);
  if (op == "/") return Of(x / y);
  if (op == "<") return Of(x < y);
  if (op == "<=") return Of(x <= y);
  if (op == ">") return Of(x > y);
  if (op == ">=") return Of(x >= y);
  return Of(op == "==" ? x == y : x != y);
}

Value Evaluate(const Node& node, const std::vector<std::string>& cells) {
  switch (node.kind) {
    case Node::Kind::kNumber:
      return Of(node.number);
    case Node::Kind::kText:
      return {.number = std::nullopt, .text = node.text};
    case Node::Kind::kColumn: {
      double number = 0;
      const std::string& cell = cells[node.column];
      return absl::SimpleAtod(cell, &number) ? Value{.number = number, .text = cell}
                                             : Value{.number = std::nullopt, .text = cell};
    }
    case Node::Kind::kOperator:
      break;
  }
  const Value left = Evaluate(*node.left, cells);
  if (node.text == "not") return Of(!left.truth());
  if (node.text == "neg") return left.number ? Of(-*left.number) : Value{};
  if (node.text == "and") return Of(left.truth() && Evaluate(*node.right, cells).truth());
  if (node.text == "or") return Of(left.truth() || Evaluate(*node.right, cells).truth());
  const Value right = Evaluate(*node.right, cells);
  const bool texts = !left.number || !right.number;
  if (texts && node.text == "==") return Of(left.text == right.text && !left.text.empty());
  if (texts && node.text == "!=") return Of(left.text != right.text);
  return Calculate(node.text, left, right);
}

// By descent: or, and, not, comparison, sum, product, sign, atom.
class Parser {
 public:
  Parser(absl::string_view text, const std::vector<std::string>& columns)
      : text_(text), columns_(columns) {}

  absl::StatusOr<NodePtr> Parse() {
    const NodePtr root = Or();
    Skip();
    if (error_.empty() && at_ < text_.size()) Fail("expected the end");
    if (error_.empty() && root->kind != Node::Kind::kOperator) Fail("this is no comparison");
    if (!error_.empty()) return absl::InvalidArgumentError(error_);
    return root;
  }

 private:
  void Fail(absl::string_view what) {
    if (!error_.empty()) return;
    error_ = absl::StrCat("'", text_, "': ", what, " at '", text_.substr(at_), "'");
  }
  void Skip() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  static bool InName(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '[' ||
           c == ']';
  }
  // A sign that is next.
  bool Take(absl::string_view sign) {
    Skip();
    if (!absl::StartsWith(text_.substr(at_), sign)) return false;
    at_ += sign.size();
    return true;
  }
  bool TakeWord(absl::string_view word) {
    Skip();
    const size_t end = at_ + word.size();
    if (!absl::StartsWith(text_.substr(at_), word)) return false;
    if (end < text_.size() && InName(text_[end])) return false;
    at_ = end;
    return true;
  }
  static NodePtr Operator(absl::string_view op, NodePtr left, NodePtr right) {
    return std::make_shared<Node>(Node{.kind = Node::Kind::kOperator,
                                       .text = std::string(op),
                                       .left = std::move(left),
                                       .right = std::move(right)});
  }

  NodePtr Or() {
    NodePtr left = And();
    while (TakeWord("or")) left = Operator("or", left, And());
    return left;
  }
  NodePtr And() {
    NodePtr left = Not();
    while (TakeWord("and")) left = Operator("and", left, Not());
    return left;
  }
  NodePtr Not() {
    if (!Enter()) return Nothing();
    NodePtr node = TakeWord("not") ? Operator("not", Not(), nullptr) : Comparison();
    --depth_;
    return node;
  }
  NodePtr Comparison() {
    NodePtr left = Sum();
    for (const absl::string_view op : {"<=", ">=", "==", "!=", "<", ">"}) {
      if (Take(op)) return Operator(op, left, Sum());
    }
    return left;
  }
  NodePtr Sum() {
    NodePtr left = Product();
    for (;;) {
      if (Take("+")) {
        left = Operator("+", left, Product());
      } else if (Take("-")) {
        left = Operator("-", left, Product());
      } else {
        return left;
      }
    }
  }
  NodePtr Product() {
    NodePtr left = Sign();
    for (;;) {
      if (Take("*")) {
        left = Operator("*", left, Sign());
      } else if (Take("/")) {
        left = Operator("/", left, Sign());
      } else {
        return left;
      }
    }
  }
  NodePtr Sign() {
    if (!Enter()) return Nothing();
    NodePtr node = Take("-") ? Operator("neg", Sign(), nullptr) : Atom();
    --depth_;
    return node;
  }
  NodePtr Atom() {
    if (Take("(")) {
      NodePtr inner = Or();
      if (!Take(")")) Fail("expected ')'");
      return inner;
    }
    Skip();
    if (at_ >= text_.size()) {
      Fail("expected a number or a name");
      return Nothing();
    }
    const char c = text_[at_];
    if (c == '\'' || c == '"') return Text(c);
    if (std::isdigit(static_cast<unsigned char>(c)) || c == '.') return Number();
    if (InName(c)) return Name();
    Fail("expected a number or a name");
    return Nothing();
  }
  NodePtr Text(char quote) {
    const size_t end = text_.find(quote, at_ + 1);
    if (end == absl::string_view::npos) {
      Fail("the text has no end");
      return Nothing();
    }
    const std::string text(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return std::make_shared<Node>(Node{.kind = Node::Kind::kText, .text = text});
  }
  NodePtr Number() {
    size_t end = at_;
    const auto in_number = [&](size_t i) {
      const bool exponent = i > at_ && (text_[i - 1] == 'e' || text_[i - 1] == 'E');
      return std::isalnum(static_cast<unsigned char>(text_[i])) || text_[i] == '.' ||
             (exponent && (text_[i] == '-' || text_[i] == '+'));
    };
    while (end < text_.size() && in_number(end)) ++end;
    double number = 0;
    if (!absl::SimpleAtod(text_.substr(at_, end - at_), &number)) {
      Fail("expected a number");
      return Nothing();
    }
    at_ = end;
    return std::make_shared<Node>(Node{.kind = Node::Kind::kNumber, .number = number});
  }
  NodePtr Name() {
    size_t end = at_;
    while (end < text_.size() && InName(text_[end])) ++end;
    const absl::string_view name = text_.substr(at_, end - at_);
    std::vector<size_t> found;
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i] == name) found.assign(1, i);
      if (columns_[i] == name) break;
      if (absl::EndsWith(columns_[i], absl::StrCat(".", name))) found.push_back(i);
    }
    if (found.size() != 1) {
      Fail(absl::StrCat(found.empty() ? "no column is called so" : "several columns end so",
                        "; there are: ", absl::StrJoin(columns_, ", ")));
      return Nothing();
    }
    at_ = end;
    return std::make_shared<Node>(Node{.kind = Node::Kind::kColumn, .column = found[0]});
  }

  // Bounds the depth of the recursion.
  bool Enter() {
    if (depth_ >= kMaxDepth) {
      Fail("nested too deeply");
      return false;
    }
    ++depth_;
    return true;
  }
  static NodePtr Nothing() { return std::make_shared<Node>(); }

  const absl::string_view text_;
  const std::vector<std::string>& columns_;
  size_t at_ = 0;
  int depth_ = 0;
  std::string error_;
};

}  // namespace

absl::StatusOr<Condition> Condition::Parse(absl::string_view text,
                                           const std::vector<std::string>& columns) {
  if (text.size() > kMaxLength) {
    return absl::InvalidArgumentError(
        absl::StrCat("a condition has at most ", kMaxLength, " characters"));
  }
  absl::StatusOr<NodePtr> root = Parser(text, columns).Parse();
  if (!root.ok()) return root.status();
  return Condition(*std::move(root));
}

bool Condition::Holds(const std::vector<std::string>& cells) const {
  return Evaluate(*root_, cells).truth();
}

}  // namespace tokensim::search
