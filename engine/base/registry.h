// The one pattern of everything that can be exchanged by name: local and global schedulers, queue
// orders, victims, evictions.
//
// A kind of policy is an interface, plain traits that others may ask for, and a context that an
// object of a run is made with. Its factory type is all that a Plan knows of it:
//
//   class LocalSchedulerFactory
//       : public PolicyFactory<LocalScheduler, LocalSchedulerTraits, BatchLimits> {
//     using PolicyFactory::PolicyFactory;
//   };
//
// A policy is one file with its class and its entry:
//
//   extern const LocalSchedulerEntry kOrcaScheduler = {
//       {.name = "orca", .description = "...", .parameters = kParameters},
//       {.steady_decodes = true},
//       [](const ParameterValues& values) -> LocalSchedulerFactory::Maker {
//         return [](const BatchLimits& limits) { return std::make_unique<OrcaScheduler>(limits); };
//       }};
//
// and one line in the list of its kind (engine/policy/local/registry.cc). The lists are explicit:
// no static object registers itself. What nobody registered can be used just as well, by putting a
// factory of it into a Plan: tests do.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/invariant.h"
#include "engine/base/parameters.h"

namespace tokensim {

// Makes the objects of one policy, for any number of runs at once.
template <typename InterfaceType, typename TraitsType, typename ContextType>
class PolicyFactory {
 public:
  using Interface = InterfaceType;
  using Traits = TraitsType;
  using Context = ContextType;
  using Maker = std::function<std::unique_ptr<Interface>(const Context&)>;

  PolicyFactory(std::string name, const Traits& traits, Maker make, ParameterValues values = {})
      : name_(std::move(name)),
        traits_(traits),
        make_(std::move(make)),
        values_(std::move(values)) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const Traits& traits() const { return traits_; }
  // That it was configured with.
  [[nodiscard]] const ParameterValues& values() const { return values_; }
  [[nodiscard]] std::unique_ptr<Interface> Make(const Context& context) const {
    return make_(context);
  }

 private:
  std::string name_;
  Traits traits_;
  Maker make_;
  ParameterValues values_;
};

// What every kind of policy says of itself, for catalogs, help and checks.
struct PolicyInfo {
  std::string_view name;         // as in specifications
  std::string_view description;  // one line
  std::span<const Parameter> parameters = {};
};

template <typename Factory>
struct PolicyEntry : PolicyInfo {
  typename Factory::Traits traits;
  // Values are checked one by one against `parameters`, and together by `check`.
  typename Factory::Maker (*configure)(const ParameterValues& values) = nullptr;
  std::optional<ParameterProblem> (*check)(const ParameterValues& values) = nullptr;
};

// The policies of one kind, in the order of the catalog. The first is no default: whoever needs one
// names it.
template <typename Factory>
class PolicyRegistry {
 public:
  using Entry = PolicyEntry<Factory>;

  // `kind`: of the policies, for messages ("local scheduler").
  constexpr PolicyRegistry(std::string_view kind, std::span<const Entry* const> entries)
      : kind_(kind), entries_(entries) {}

  [[nodiscard]] std::string_view kind() const { return kind_; }
  [[nodiscard]] std::span<const Entry* const> entries() const { return entries_; }
  [[nodiscard]] std::vector<const PolicyInfo*> infos() const {
    return {entries_.begin(), entries_.end()};
  }
  // Null when there is none of that name.
  [[nodiscard]] const Entry* Find(std::string_view name) const {
    for (const Entry* entry : entries_) {
      if (entry->name == name) return entry;
    }
    return nullptr;
  }

  // With values that were checked.
  [[nodiscard]] static std::shared_ptr<const Factory> Configure(const Entry& entry,
                                                                ParameterValues values) {
    auto make = entry.configure(values);
    return std::make_shared<const Factory>(std::string(entry.name), entry.traits, std::move(make),
                                           std::move(values));
  }

  // Of a plan that code writes: the name and the values are known to be good, all are given that
  // must be, and all others are the defaults.
  [[nodiscard]] std::shared_ptr<const Factory> Make(std::string_view name,
                                                    const NamedValues& given = {}) const {
    const Entry* entry = Find(name);
    TOKENSIM_INVARIANT(entry != nullptr, "there is no policy of that name");
    ParameterValues values(entry->parameters);
    for (const auto& [parameter, value] : given) {
      const std::string problem = values.Set(parameter, value);
      TOKENSIM_INVARIANT(problem.empty(), "a value that the policy does not take");
    }
    TOKENSIM_INVARIANT(values.complete(), "a value that must be given is missing");
    TOKENSIM_INVARIANT(entry->check == nullptr || !entry->check(values),
                       "values that do not go together");
    return Configure(*entry, std::move(values));
  }

 private:
  std::string_view kind_;
  std::span<const Entry* const> entries_;
};

}  // namespace tokensim
