// The parameters of policies as fields of a specification. Internal to engine/io.
//
// A policy declares parameters (engine/base/parameters.h) and knows no protobuf. A message that
// chooses policies has a field for each parameter that the schema names (a dot in the name is a
// field of a message in it), and a map `parameters` for all others. Nothing here knows a policy: a
// new one with parameters of its own needs no change.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "engine/base/registry.h"
#include "engine/io/plan/findings.h"
#include "google/protobuf/message.h"

namespace tokensim {

// The policies of one kind that a message chose.
struct PolicyChoice {
  std::string_view kind;                  // "local scheduler"
  std::vector<const PolicyInfo*> known;   // all of the registry
  std::vector<const PolicyInfo*> chosen;  // of them
};

template <typename Factory>
[[nodiscard]] PolicyChoice Choice(const PolicyRegistry<Factory>& registry,
                                  std::vector<const PolicyInfo*> chosen) {
  return {registry.kind(), registry.infos(), std::move(chosen)};
}

// Whether the registry has the name; else an error at `field` of the checker's message.
template <typename Factory>
bool CheckPolicyName(const Checker& check, std::string_view field, const std::string& name,
                     const PolicyRegistry<Factory>& registry) {
  if (registry.Find(name) != nullptr) return true;
  std::vector<std::string> names;
  for (const PolicyInfo* info : registry.infos()) names.emplace_back(info->name);
  check.NotFound(field, registry.kind(), name, names);
  return false;
}

// The policy of a message that has an enumeration `field` of the usual names, and a text
// `name_field` for any: the lower-case name of the value without its prefix, or the text, or the
// default. Both set is an error.
[[nodiscard]] std::string PolicyName(const Checker& check, std::string_view field,
                                     std::string_view name_field, std::string_view default_name,
                                     const google::protobuf::Message& message);

// Names a policy in such a message: by the enumeration if that has it, else by the text.
void SetPolicyName(std::string_view field, std::string_view name_field, std::string_view name,
                   google::protobuf::Message* message);

// Checks the parameters that are set, and sets those of the chosen policies that are not to their
// defaults. One that no chosen policy takes is not used (fields.h): it is checked by the ranges of
// the policies that have it, told unless it says the default, and removed. One that no policy knows
// is an error. `check` is the message's.
void ResolveParameters(const Checker& check, const std::vector<PolicyChoice>& choices,
                       google::protobuf::Message* message);

// The values of one policy in a message; defaults where nothing is set.
[[nodiscard]] ParameterValues ReadParameters(const PolicyInfo& policy,
                                             const google::protobuf::Message& message);

// ---- Policies that a message chooses by a oneof: by a member of the policy's name, whose fields are
// its parameters (`poisson: {rate_per_second: 8}`), or by `named: {name: ..., parameters: {...}}`. A
// member that is no message is the value of the policy's only parameter (`fixed: 512`).

// Its name; "": no member is set.
[[nodiscard]] std::string MemberPolicy(std::string_view oneof,
                                       const google::protobuf::Message& message);
// ResolveParameters of the member that is set. `check` is the message's.
void ResolveMemberParameters(const Checker& check, const PolicyChoice& choice,
                             std::string_view oneof, google::protobuf::Message* message);
// The values of the policy in the member; defaults where nothing is set.
[[nodiscard]] ParameterValues ReadMember(const PolicyInfo& policy, std::string_view oneof,
                                         const google::protobuf::Message& message);
// Writes the values that the policy has derived.
void WriteDerived(const ParameterValues& values, std::string_view oneof,
                  google::protobuf::Message* message);
// The path of a parameter in the member, from the message.
[[nodiscard]] std::string MemberPath(std::string_view parameter, std::string_view oneof,
                                     const google::protobuf::Message& message);
// "poisson, constant, uniform": the policies that have a member, in the registry's order.
[[nodiscard]] std::string MemberNames(const std::vector<const PolicyInfo*>& policies,
                                      std::string_view oneof,
                                      const google::protobuf::Message& message);
// An error unless `named` names a policy, and one without a member.
[[nodiscard]] bool CheckMemberName(const Checker& check, const PolicyChoice& choice,
                                   std::string_view oneof,
                                   const google::protobuf::Message& message);

// Checks the member that is set and fills in what it leaves out, but for what policies derive. Null:
// there is no policy of that name.
template <typename Factory>
const PolicyEntry<Factory>* ResolveMember(const Checker& check,
                                          const PolicyRegistry<Factory>& registry,
                                          std::string_view oneof,
                                          google::protobuf::Message* message) {
  const auto* entry = registry.Find(MemberPolicy(oneof, *message));
  const PolicyChoice choice = Choice(registry, {entry});
  if (!CheckMemberName(check, choice, oneof, *message)) return nullptr;
  ResolveMemberParameters(check, choice, oneof, message);
  return entry;
}

// The factory that the member of a resolved message describes.
template <typename Factory>
[[nodiscard]] std::shared_ptr<const Factory> ConfigureMember(
    const PolicyRegistry<Factory>& registry, std::string_view oneof,
    const google::protobuf::Message& message) {
  const auto* entry = registry.Find(MemberPolicy(oneof, message));
  TOKENSIM_INVARIANT(entry != nullptr, "a resolved specification names an unknown policy");
  return registry.Configure(*entry, ReadMember(*entry, oneof, message));
}

// The factory that a resolved message describes.
template <typename Factory>
[[nodiscard]] std::shared_ptr<const Factory> ConfigurePolicy(
    const PolicyRegistry<Factory>& registry, std::string_view name,
    const google::protobuf::Message& message) {
  const auto* entry = registry.Find(name);
  TOKENSIM_INVARIANT(entry != nullptr, "a resolved specification names an unknown policy");
  return registry.Configure(*entry, ReadParameters(*entry, message));
}

// Checks the values of a policy together, if they are good one by one.
template <typename Factory>
void CheckTogether(const Checker& check, const PolicyEntry<Factory>& entry,
                   const google::protobuf::Message& message) {
  if (entry.check == nullptr) return;
  if (const auto problem = entry.check(ReadParameters(entry, message))) {
    check.Error(problem->parameter, problem->message);
  }
}

}  // namespace tokensim
