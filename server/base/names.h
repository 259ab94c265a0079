// Resource names: tenants/{tenant}/simulations/{simulation}.
//
// Ids are [a-z]([a-z0-9-]{0,61}[a-z0-9])?. Errors: INVALID_ARGUMENT naming the field.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tokensim {

inline constexpr const char kDefaultTenant[] = "default";

struct SimulationName {
  std::string tenant;
  std::string id;

  [[nodiscard]] std::string ToString() const;
  friend auto operator<=>(const SimulationName&, const SimulationName&) = default;
};

[[nodiscard]] bool IsResourceId(std::string_view id);
[[nodiscard]] absl::StatusOr<SimulationName> ParseSimulationName(std::string_view name);
// The tenant of `parent`; the default tenant when it is empty.
[[nodiscard]] absl::StatusOr<std::string> ParseParent(std::string_view parent);

}  // namespace tokensim
