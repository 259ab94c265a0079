#include "engine/search/space.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "engine/base/rng.h"
#include "engine/search/values.h"

namespace tokensim::search {

namespace {

absl::Status Invalid(absl::string_view text, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("'", text, "': ", what));
}

// "PATH=VALUE".
absl::StatusOr<Assignment> ParseAssignment(absl::string_view whole, absl::string_view text) {
  const size_t equals = text.find('=');
  if (equals == absl::string_view::npos || equals == 0) {
    return Invalid(whole, "expected PATH=VALUE");
  }
  Assignment assignment{std::string(absl::StripAsciiWhitespace(text.substr(0, equals))),
                        std::string(absl::StripAsciiWhitespace(text.substr(equals + 1)))};
  if (assignment.value.empty()) return Invalid(whole, assignment.path + " has no value");
  return assignment;
}

}  // namespace

bool Space::HasColumn(absl::string_view name) const {
  const std::vector<std::string> all = columns();
  return std::find(all.begin(), all.end(), name) != all.end();
}

absl::Status Space::Vary(absl::string_view text) {
  Axis axis;
  for (const std::string& part : SplitOutsideBrackets(text, ';')) {
    const absl::StatusOr<Assignment> parsed = ParseAssignment(text, part);
    if (!parsed.ok()) return parsed.status();
    if (HasColumn(parsed->path) ||
        std::find(axis.columns.begin(), axis.columns.end(), parsed->path) != axis.columns.end()) {
      return Invalid(text, parsed->path + " is varied already");
    }
    const absl::StatusOr<std::vector<std::string>> values = ParseValues(parsed->value);
    if (!values.ok()) return values.status();
    if (axis.columns.empty()) axis.choices.resize(values->size());
    if (values->size() != axis.choices.size()) {
      return Invalid(text, absl::StrCat("fields that are tied take as many values each; ",
                                        axis.columns.front(), " has ", axis.choices.size(), ", ",
                                        parsed->path, " has ", values->size()));
    }
    axis.columns.push_back(parsed->path);
    for (size_t i = 0; i < values->size(); ++i) {
      axis.choices[i].cells.push_back((*values)[i]);
      axis.choices[i].assignments.push_back({parsed->path, (*values)[i]});
    }
  }
  axes_.push_back(std::move(axis));
  return absl::OkStatus();
}

absl::Status Space::Variant(absl::string_view text) {
  const size_t colon = text.find(':');
  if (colon == absl::string_view::npos) {
    return Invalid(text, "expected NAME=LABEL: PATH=VALUE; PATH=VALUE...");
  }
  const absl::StatusOr<Assignment> name = ParseAssignment(text, text.substr(0, colon));
  if (!name.ok()) return name.status();
  Choice choice{.cells = {name->value}, .assignments = {}};
  for (const std::string& part : SplitOutsideBrackets(text.substr(colon + 1), ';')) {
    if (part.empty()) continue;  // a variant that changes nothing
    absl::StatusOr<Assignment> assignment = ParseAssignment(text, part);
    if (!assignment.ok()) return assignment.status();
    choice.assignments.push_back(*std::move(assignment));
  }
  for (Axis& axis : axes_) {
    if (!axis.variants || axis.columns.front() != name->path) continue;
    for (const Choice& other : axis.choices) {
      if (other.cells == choice.cells) return Invalid(text, name->value + " was given already");
    }
    axis.choices.push_back(std::move(choice));
    return absl::OkStatus();
  }
  if (HasColumn(name->path)) return Invalid(text, name->path + " is varied already");
  axes_.push_back({.columns = {name->path}, .choices = {std::move(choice)}, .variants = true});
  return absl::OkStatus();
}

absl::Status Space::Where(absl::string_view text) {
  absl::StatusOr<Condition> condition = Condition::Parse(text, columns());
  if (!condition.ok()) return condition.status();
  conditions_.push_back(*std::move(condition));
  return absl::OkStatus();
}

std::vector<std::string> Space::columns() const {
  std::vector<std::string> columns;
  for (const Axis& axis : axes_) {
    columns.insert(columns.end(), axis.columns.begin(), axis.columns.end());
  }
  return columns;
}

size_t Space::size() const {
  size_t size = 1;
  for (const Axis& axis : axes_) {
    if (size > kMaxPoints) break;
    size *= axis.choices.size();
  }
  return size;
}

absl::StatusOr<std::vector<Point>> Space::Points() const {
  const size_t count = size();
  if (count > kMaxPoints) {
    return absl::InvalidArgumentError(
        absl::StrCat("more than ", kMaxPoints, " points; vary less, or in larger steps"));
  }
  std::vector<Point> points;
  for (size_t index = 0; index < count; ++index) {
    Point point;
    size_t rest = index;
    size_t weight = count;
    for (const Axis& axis : axes_) {
      weight /= axis.choices.size();
      const Choice& choice = axis.choices[rest / weight];
      rest %= weight;
      point.cells.insert(point.cells.end(), choice.cells.begin(), choice.cells.end());
      point.assignments.insert(point.assignments.end(), choice.assignments.begin(),
                               choice.assignments.end());
    }
    const bool meets = std::all_of(conditions_.begin(), conditions_.end(),
                                   [&](const Condition& c) { return c.Holds(point.cells); });
    if (meets) points.push_back(std::move(point));
  }
  return points;
}

std::vector<Point> Sample(std::vector<Point> points, size_t count, uint64_t seed) {
  if (count >= points.size()) return points;
  // Each point in turn is taken with the chance that keeps the number right (Knuth's algorithm S).
  RngStream rng(seed, "sweep sample");
  std::vector<Point> sample;
  size_t left = points.size();
  for (Point& point : points) {
    const double chance = static_cast<double>(count - sample.size()) / static_cast<double>(left--);
    if (rng.Uniform() < chance) sample.push_back(std::move(point));
  }
  return sample;
}

}  // namespace tokensim::search
