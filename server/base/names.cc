#include "server/base/names.h"

#include <algorithm>

#include "server/base/error.h"

namespace tokensim {
namespace {

constexpr std::string_view kTenants = "tenants/";
constexpr std::string_view kSimulations = "/simulations/";

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

std::string SimulationName::ToString() const {
  return std::string(kTenants) + tenant + std::string(kSimulations) + id;
}

bool IsResourceId(std::string_view id) {
  if (id.empty() || id.size() > 63) return false;
  if (id.front() < 'a' || id.front() > 'z' || !IsLowerOrDigit(id.back())) return false;
  return std::all_of(id.begin(), id.end(), [](char c) { return IsLowerOrDigit(c) || c == '-'; });
}

absl::StatusOr<SimulationName> ParseSimulationName(std::string_view name) {
  const size_t split = name.find(kSimulations);
  if (name.starts_with(kTenants) && split != std::string_view::npos && split > kTenants.size()) {
    SimulationName out{std::string(name.substr(kTenants.size(), split - kTenants.size())),
                       std::string(name.substr(split + kSimulations.size()))};
    if (IsResourceId(out.tenant) && IsResourceId(out.id)) return out;
  }
  return InvalidField("name",
                      "must be tenants/{tenant}/simulations/{simulation}, ids of lower-case "
                      "letters, digits and '-', starting with a letter, at most 63");
}

absl::StatusOr<std::string> ParseParent(std::string_view parent) {
  if (parent.empty()) return std::string(kDefaultTenant);
  if (parent.starts_with(kTenants) && IsResourceId(parent.substr(kTenants.size()))) {
    return std::string(parent.substr(kTenants.size()));
  }
  return InvalidField("parent", "must be tenants/{tenant}");
}

}  // namespace tokensim
