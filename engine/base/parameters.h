// The parameters of a policy: the table that it declares, and the values that it is made with.
//
//   constexpr Parameter kParameters[] = {
//       FlagParameter("reserve_full_prompt", true, "admit a prompt only when all of it fits"),
//       RealParameter("affinity_load_factor", 2, {.above = 1, .max = 1e6}, "bound on the load")};
//   ParameterValues values(kParameters);  // the defaults
//   const std::string problem = values.Set("affinity_load_factor", 0.5);
//   // "is 0.5; it must be above 1 and at most 1e+06"; empty when the value is taken
//   values.real("affinity_load_factor");  // 2
//
// Whoever reads specifications sets values by name and reports what is wrong with them; a policy
// reads checked values. Neither knows the other.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tokensim {

enum class ParameterType : uint8_t { kFlag, kInteger, kReal, kChoice };

// What numbers a parameter takes: above <= value <= max, or min <= value <= max.
struct ParameterRange {
  double min = 0;
  double above = -std::numeric_limits<double>::infinity();  // excluded; replaces min when it is set
  double max = std::numeric_limits<double>::max();
};

// One row of the table of a policy. Dots in the name stand for nesting: weights.load.
struct Parameter {
  std::string_view name;
  ParameterType type = ParameterType::kReal;
  double default_value = 0;  // kFlag: 0 or 1; kChoice: index into `choices`
  ParameterRange range;
  std::span<const std::string_view> choices;
  std::string_view unit;  // "" without one
  std::string_view description;
  bool required = false;     // there is no default: it must be given
  std::string_view derived;  // what it is when it is left out, where that depends on other things
};

[[nodiscard]] constexpr Parameter FlagParameter(std::string_view name, bool default_value,
                                                std::string_view description) {
  return {name, ParameterType::kFlag, default_value ? 1.0 : 0.0, {0, -1, 1}, {}, "", description};
}
[[nodiscard]] constexpr Parameter IntegerParameter(std::string_view name, int64_t default_value,
                                                   ParameterRange range,
                                                   std::string_view description,
                                                   std::string_view unit = "") {
  const auto value = static_cast<double>(default_value);
  return {name, ParameterType::kInteger, value, range, {}, unit, description};
}
[[nodiscard]] constexpr Parameter RealParameter(std::string_view name, double default_value,
                                                ParameterRange range, std::string_view description,
                                                std::string_view unit = "") {
  return {name, ParameterType::kReal, default_value, range, {}, unit, description};
}
// One of `choices`, the first unless the specification says otherwise.
[[nodiscard]] constexpr Parameter ChoiceParameter(std::string_view name,
                                                  std::span<const std::string_view> choices,
                                                  std::string_view description) {
  return {name, ParameterType::kChoice, 0, {}, choices, "", description};
}

// The parameter without its default: it must be given.
[[nodiscard]] constexpr Parameter Required(Parameter parameter) {
  parameter.required = true;
  return parameter;
}
// The parameter with a default that the policy works out ("all requests"), and sets.
[[nodiscard]] constexpr Parameter Derived(Parameter parameter, std::string_view derived) {
  parameter.derived = derived;
  return parameter;
}

// true, 16, 0.5, full: as a specification would say it; "" of one that must be given.
[[nodiscard]] std::string DefaultText(const Parameter& parameter);
// "true or false", "1 .. 10", "above 1, at most 1e+06", "full or none".
[[nodiscard]] std::string RangeText(const Parameter& parameter);

// What is wrong with a number for the parameter, or "": "is 0; allowed are 1 .. 10".
[[nodiscard]] std::string ProblemOf(const Parameter& parameter, double value);

// Something is wrong with a parameter, or, with a name of nesting (weights), with several.
struct ParameterProblem {
  std::string parameter;
  std::string message;  // "are all 0; at least one must be above 0"
};

// A value for each parameter of a table. The table outlives it.
class ParameterValues {
 public:
  ParameterValues() = default;
  // The defaults.
  explicit ParameterValues(std::span<const Parameter> table);

  [[nodiscard]] std::span<const Parameter> table() const { return table_; }
  [[nodiscard]] bool Has(std::string_view name) const { return Find(name) != kNone; }

  // What is wrong with the value, and nothing changed; or "". Flags are 0 or 1.
  [[nodiscard]] std::string Set(std::string_view name, double value);
  // The same for a choice.
  [[nodiscard]] std::string SetChoice(std::string_view name, std::string_view value);
  // By the policy itself, of a parameter that it derives.
  void Derive(std::string_view name, double value);
  // Whether it has a value: given, a default, or derived.
  [[nodiscard]] bool IsSet(std::string_view name) const;
  // Whether all have that must be given.
  [[nodiscard]] bool complete() const;

  // Of a parameter in the table that is set, of that type: else the policy is wrong.
  [[nodiscard]] bool flag(std::string_view name) const;
  [[nodiscard]] int64_t integer(std::string_view name) const;
  [[nodiscard]] double real(std::string_view name) const;
  [[nodiscard]] std::string_view choice(std::string_view name) const;
  // Of any type: as Set takes it.
  [[nodiscard]] double number(std::string_view name) const;

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  [[nodiscard]] size_t Find(std::string_view name) const;
  [[nodiscard]] std::string Unknown(std::string_view name) const;
  [[nodiscard]] double Get(std::string_view name, ParameterType type) const;

  std::span<const Parameter> table_;
  std::vector<double> values_;  // NaN: not set
};

// Values given in code: {{"affinity_load_factor", 1.25}}.
using NamedValues = std::vector<std::pair<std::string_view, double>>;

}  // namespace tokensim
