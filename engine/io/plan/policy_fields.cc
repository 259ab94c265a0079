#include "engine/io/plan/policy_fields.h"

#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/nearest.h"
#include "engine/io/yaml/field_names.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/reflection.h"

namespace tokensim {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr char kMap[] = "parameters";

// A scalar field of a message, or of messages in it.
class Field {
 public:
  // Not found: there is no field of that name.
  Field(const Message& message, std::string_view name) {
    const Descriptor* type = message.GetDescriptor();
    while (!name.empty()) {
      const size_t dot = name.find('.');
      const std::string part(name.substr(0, dot));
      name = dot == std::string_view::npos ? "" : name.substr(dot + 1);
      const FieldDescriptor* field = type == nullptr ? nullptr : type->FindFieldByName(part);
      if (field == nullptr || field->is_repeated()) {
        path_.clear();
        return;
      }
      path_.push_back(field);
      type = field->message_type();
    }
    if (type != nullptr) path_.clear();  // it ends at a message
  }

  [[nodiscard]] bool found() const { return !path_.empty(); }

  [[nodiscard]] bool IsSet(const Message& message) const {
    const Message* holder = Holder(message);
    return holder != nullptr && holder->GetReflection()->HasField(*holder, path_.back());
  }

  // What is wrong with the value of a field that is set, or "".
  [[nodiscard]] std::string SetIn(const Message& message, std::string_view name,
                                  ParameterValues* values) const {
    const Message& holder = *Holder(message);
    const auto& reflection = *holder.GetReflection();
    const FieldDescriptor* field = path_.back();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_BOOL:
        return values->Set(name, reflection.GetBool(holder, field) ? 1 : 0);
      case FieldDescriptor::CPPTYPE_INT32:
        return values->Set(name, reflection.GetInt32(holder, field));
      case FieldDescriptor::CPPTYPE_INT64:
        return values->Set(name, static_cast<double>(reflection.GetInt64(holder, field)));
      case FieldDescriptor::CPPTYPE_STRING:
        return values->SetChoice(name, reflection.GetString(holder, field));
      default:
        return values->Set(name, reflection.GetDouble(holder, field));
    }
  }

  void Write(const ParameterValues& values, std::string_view name, Message* message) const {
    Message* holder = message;
    for (size_t i = 0; i + 1 < path_.size(); ++i) {
      holder = holder->GetReflection()->MutableMessage(holder, path_[i]);
    }
    const auto& reflection = *holder->GetReflection();
    const FieldDescriptor* field = path_.back();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_BOOL:
        return reflection.SetBool(holder, field, values.flag(name));
      case FieldDescriptor::CPPTYPE_INT32:
        return reflection.SetInt32(holder, field, static_cast<int32_t>(values.integer(name)));
      case FieldDescriptor::CPPTYPE_INT64:
        return reflection.SetInt64(holder, field, values.integer(name));
      case FieldDescriptor::CPPTYPE_STRING:
        return reflection.SetString(holder, field, std::string(values.choice(name)));
      default:
        return reflection.SetDouble(holder, field, values.real(name));
    }
  }

  // Also the messages around it that hold nothing else.
  void Clear(Message* message) const {
    std::vector<Message*> holders = {message};
    for (size_t i = 0; i + 1 < path_.size(); ++i) {
      Message* holder = holders.back();
      if (!holder->GetReflection()->HasField(*holder, path_[i])) return;
      holders.push_back(holder->GetReflection()->MutableMessage(holder, path_[i]));
    }
    for (size_t i = path_.size(); i-- > 0;) {
      holders[i]->GetReflection()->ClearField(holders[i], path_[i]);
      if (holders[i]->ByteSizeLong() > 0) return;
    }
  }

 private:
  // The message that has the field; null when it is not there.
  [[nodiscard]] const Message* Holder(const Message& message) const {
    const Message* holder = &message;
    for (size_t i = 0; i + 1 < path_.size(); ++i) {
      const auto& reflection = *holder->GetReflection();
      if (!reflection.HasField(*holder, path_[i])) return nullptr;
      holder = &reflection.GetMessage(*holder, path_[i]);
    }
    return holder;
  }

  std::vector<const FieldDescriptor*> path_;
};

// The map `parameters` of a message, in order of its keys; empty without one.
std::map<std::string, double> ReadMap(const Message& message) {
  std::map<std::string, double> values;
  const FieldDescriptor* map = message.GetDescriptor()->FindFieldByName(kMap);
  if (map == nullptr) return values;
  const auto& reflection = *message.GetReflection();
  for (int i = 0; i < reflection.FieldSize(message, map); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, map, i);
    const auto& fields = *entry.GetReflection();
    const std::string key = fields.GetString(entry, map->message_type()->map_key());
    values[key] = fields.GetDouble(entry, map->message_type()->map_value());
  }
  return values;
}

void WriteMap(const std::map<std::string, double>& values, Message* message) {
  const FieldDescriptor* map = message->GetDescriptor()->FindFieldByName(kMap);
  if (map == nullptr) return;
  const auto& reflection = *message->GetReflection();
  reflection.ClearField(message, map);
  for (const auto& [key, value] : values) {
    Message* entry = reflection.AddMessage(message, map);
    const auto& fields = *entry->GetReflection();
    fields.SetString(entry, map->message_type()->map_key(), key);
    fields.SetDouble(entry, map->message_type()->map_value(), value);
  }
}

const Parameter* Find(const PolicyInfo& policy, std::string_view name) {
  for (const Parameter& parameter : policy.parameters) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}

// "takes reserve_full_prompt", "takes no parameters".
std::string Takes(const PolicyInfo& policy) {
  std::vector<std::string> names;
  for (const Parameter& parameter : policy.parameters) names.emplace_back(parameter.name);
  return names.empty() ? "takes no parameters" : absl::StrCat("takes ", absl::StrJoin(names, ", "));
}

// "local scheduler orca, which takes no parameters".
std::string Describe(const PolicyChoice& choice) {
  std::vector<std::string> policies;
  for (const PolicyInfo* policy : choice.chosen) {
    std::string text = absl::StrCat(std::string(policy->name), ", which ", Takes(*policy));
    if (policies.empty() || policies.back() != text) policies.push_back(std::move(text));
  }
  return absl::StrCat(std::string(choice.kind), " ", absl::StrJoin(policies, ", nor to "));
}

class Resolver {
 public:
  Resolver(const Checker& check, const std::vector<PolicyChoice>& choices, Message* message)
      : check_(check), choices_(choices), message_(*message), map_(ReadMap(*message)) {}

  void Resolve() {
    std::set<std::string_view> seen;
    for (const PolicyChoice& choice : choices_) {
      for (const PolicyInfo* policy : choice.known) {
        for (const Parameter& parameter : policy->parameters) {
          if (seen.insert(parameter.name).second) {
            ResolveOne(choice, std::string(parameter.name));
          }
        }
      }
    }
    for (auto entry = map_.begin(); entry != map_.end(); ++entry) {
      if (!seen.contains(entry->first)) ReportUnknown(entry->first);
    }
    WriteMap(map_, &message_);
  }

 private:
  // A parameter of some policies of that kind.
  void ResolveOne(const PolicyChoice& choice, const std::string& name) {
    const Field field(message_, name);
    const bool in_map = map_.contains(name);
    if (in_map && field.found()) {
      check_.Error(PathInMap(name), absl::StrCat("is a field of its own: write ", name));
      return;
    }
    const bool set = field.found() ? field.IsSet(message_) : in_map;
    const std::string path = field.found() ? name : PathInMap(name);
    std::string problem;
    const PolicyInfo* taker = nullptr;
    for (const PolicyInfo* policy : choice.chosen) {
      if (Find(*policy, name) == nullptr) continue;
      taker = policy;
      ParameterValues values(policy->parameters);
      if (set && problem.empty()) problem = Read(field, name, &values);
    }
    if (taker != nullptr) {
      if (!problem.empty()) check_.Error(path, problem);
      if (!set) WriteDefault(field, path, name, *taker);
    } else if (set) {
      RemoveUnused(choice, field, path, name);
    }
  }

  // Of a policy that is not chosen. Good is what any policy with that parameter takes.
  void RemoveUnused(const PolicyChoice& choice, const Field& field, const std::string& path,
                    const std::string& name) {
    std::string problem;
    bool good = false;
    bool holds = false;  // it says what holds anyway
    for (const PolicyInfo* policy : choice.known) {
      const Parameter* parameter = Find(*policy, name);
      if (parameter == nullptr) continue;
      ParameterValues values(policy->parameters);
      const std::string wrong = Read(field, name, &values);
      good = good || wrong.empty();
      holds = holds || (wrong.empty() && values.number(name) == parameter->default_value);
      if (problem.empty()) problem = wrong;
    }
    if (!good) {
      check_.Error(path, problem);
    } else if (!holds && !choice.chosen.empty()) {
      check_.Warning(path, absl::StrCat("does not apply to ", Describe(choice)));
    }
    field.found() ? field.Clear(&message_) : static_cast<void>(map_.erase(name));
  }

  [[nodiscard]] std::string Read(const Field& field, const std::string& name,
                                 ParameterValues* values) const {
    return field.found() ? field.SetIn(message_, name, values) : values->Set(name, map_.at(name));
  }

  void WriteDefault(const Field& field, const std::string& path, const std::string& name,
                    const PolicyInfo& policy) {
    const ParameterValues defaults(policy.parameters);
    if (!defaults.IsSet(name)) {
      const Parameter& parameter = *Find(policy, name);
      if (parameter.required) {
        check_.Missing(path, absl::StrCat("is missing: ", std::string(parameter.description)));
      }
      return;
    }
    if (field.found()) {
      field.Write(defaults, name, &message_);
    } else {
      map_[name] = defaults.number(name);
    }
  }

  void ReportUnknown(const std::string& name) const {
    std::vector<std::string> takes;
    std::vector<std::string> names;
    for (const PolicyChoice& choice : choices_) {
      for (const PolicyInfo* policy : choice.chosen) {
        takes.push_back(absl::StrCat(std::string(choice.kind), " ", std::string(policy->name), " ",
                                     Takes(*policy)));
        for (const Parameter& p : policy->parameters) names.emplace_back(p.name);
      }
    }
    check_.Error(PathInMap(name),
                 absl::StrCat("is no parameter", DidYouMean(name, names), takes.empty() ? "" : "; ",
                              absl::StrJoin(takes, ", ")));
  }

  static std::string PathInMap(const std::string& name) { return absl::StrCat(kMap, ".", name); }

  const Checker& check_;
  const std::vector<PolicyChoice>& choices_;
  Message& message_;
  std::map<std::string, double> map_;
};

}  // namespace

void SetPolicyName(std::string_view field, std::string_view name_field, std::string_view name,
                   Message* message) {
  const auto& reflection = *message->GetReflection();
  const FieldDescriptor* named = message->GetDescriptor()->FindFieldByName(std::string(name_field));
  const FieldDescriptor* chosen = message->GetDescriptor()->FindFieldByName(std::string(field));
  const auto* value = FindEnumValue(*chosen->enum_type(), name);
  if (value != nullptr) {
    reflection.SetEnum(message, chosen, value);
    reflection.ClearField(message, named);
  } else {
    reflection.SetString(message, named, std::string(name));
  }
}

void ResolveParameters(const Checker& check, const std::vector<PolicyChoice>& choices,
                       Message* message) {
  Resolver(check, choices, message).Resolve();
}

std::string PolicyName(const Checker& check, std::string_view field, std::string_view name_field,
                       std::string_view default_name, const Message& message) {
  const auto& reflection = *message.GetReflection();
  const FieldDescriptor* named = message.GetDescriptor()->FindFieldByName(std::string(name_field));
  const FieldDescriptor* chosen = message.GetDescriptor()->FindFieldByName(std::string(field));
  const std::string name = reflection.GetString(message, named);
  if (!reflection.HasField(message, chosen)) return name.empty() ? std::string(default_name) : name;
  if (!name.empty()) {
    check.Error(name_field,
                absl::StrCat("does not go with ", std::string(field), ": give one of them"));
  }
  return ShortEnumName(*reflection.GetEnum(message, chosen));
}

ParameterValues ReadParameters(const PolicyInfo& policy, const Message& message) {
  ParameterValues values(policy.parameters);
  const std::map<std::string, double> map = ReadMap(message);
  for (const Parameter& parameter : policy.parameters) {
    const std::string name(parameter.name);
    const Field field(message, name);
    std::string problem;  // of a message that is not resolved: the default stays
    if (field.found()) {
      if (field.IsSet(message)) problem = field.SetIn(message, name, &values);
    } else if (const auto entry = map.find(name); entry != map.end()) {
      problem = values.Set(name, entry->second);
    }
  }
  return values;
}

// ---- Members of a oneof

namespace {

constexpr char kNamed[] = "named";

// The member that is set; null: none.
const FieldDescriptor* Member(std::string_view oneof, const Message& message) {
  const auto* members = message.GetDescriptor()->FindOneofByName(std::string(oneof));
  TOKENSIM_INVARIANT(members != nullptr, "there is no oneof of that name");
  return message.GetReflection()->GetOneofFieldDescriptor(message, members);
}

bool IsNamed(const FieldDescriptor& member) { return member.name() == kNamed; }

bool HasMember(std::string_view policy, std::string_view oneof, const Message& message) {
  const auto* field = message.GetDescriptor()->FindFieldByName(std::string(policy));
  return field != nullptr && field->containing_oneof() != nullptr && !IsNamed(*field) &&
         field->containing_oneof()->name() == oneof;
}

}  // namespace

std::string MemberPolicy(std::string_view oneof, const Message& message) {
  const FieldDescriptor* member = Member(oneof, message);
  if (member == nullptr) return "";
  if (!IsNamed(*member)) return member->name();
  const Message& named = message.GetReflection()->GetMessage(message, member);
  return named.GetReflection()->GetString(named, named.GetDescriptor()->FindFieldByName("name"));
}

std::string MemberPath(std::string_view parameter, std::string_view oneof, const Message& message) {
  const FieldDescriptor* member = Member(oneof, message);
  if (member->message_type() == nullptr || parameter.empty()) return member->name();
  return JoinPath(JoinPath(member->name(), IsNamed(*member) ? kMap : ""), parameter);
}

std::string MemberNames(const std::vector<const PolicyInfo*>& policies, std::string_view oneof,
                        const Message& message) {
  std::vector<std::string> names;
  for (const PolicyInfo* policy : policies) {
    if (HasMember(policy->name, oneof, message)) names.emplace_back(policy->name);
  }
  return absl::StrJoin(names, ", ");
}

bool CheckMemberName(const Checker& check, const PolicyChoice& choice, std::string_view oneof,
                     const Message& message) {
  const FieldDescriptor* member = Member(oneof, message);
  if (member == nullptr || !IsNamed(*member)) return choice.chosen.front() != nullptr;
  const std::string name = MemberPolicy(oneof, message);
  const std::string path = JoinPath(kNamed, "name");
  if (choice.chosen.front() == nullptr) {
    std::vector<std::string> names;
    for (const PolicyInfo* info : choice.known) names.emplace_back(info->name);
    check.NotFound(path, choice.kind, name, names);
    return false;
  }
  if (!HasMember(name, oneof, message)) return true;
  check.Error(path, absl::StrCat("has a field of its own: write ", name, " instead of named"));
  return false;
}

void ResolveMemberParameters(const Checker& check, const PolicyChoice& choice,
                             std::string_view oneof, Message* message) {
  const FieldDescriptor* member = Member(oneof, *message);
  if (member->message_type() != nullptr) {
    Message* section = message->GetReflection()->MutableMessage(message, member);
    const Checker at(check.findings(), check.Path(member->name()));
    PolicyChoice own_first = choice;  // findings come in the order of the policy's own table
    own_first.known.insert(own_first.known.begin(), choice.chosen.front());
    return ResolveParameters(at, {own_first}, section);
  }
  const Parameter& only = choice.chosen.front()->parameters.front();
  ParameterValues values(choice.chosen.front()->parameters);
  const std::string problem = Field(*message, member->name()).SetIn(*message, only.name, &values);
  if (!problem.empty()) check.Error(member->name(), problem);
}

ParameterValues ReadMember(const PolicyInfo& policy, std::string_view oneof,
                           const Message& message) {
  const FieldDescriptor* member = Member(oneof, message);
  if (member->message_type() != nullptr) {
    return ReadParameters(policy, message.GetReflection()->GetMessage(message, member));
  }
  ParameterValues values(policy.parameters);
  // Of a message that is not resolved a value may be wrong: the default stays.
  static_cast<void>(
      Field(message, member->name()).SetIn(message, policy.parameters.front().name, &values));
  return values;
}

void WriteDerived(const ParameterValues& values, std::string_view oneof, Message* message) {
  Message* section = message->GetReflection()->MutableMessage(message, Member(oneof, *message));
  std::map<std::string, double> map = ReadMap(*section);
  for (const Parameter& parameter : values.table()) {
    if (parameter.derived.empty() || !values.IsSet(parameter.name)) continue;
    const Field field(*section, parameter.name);
    if (field.found()) {
      field.Write(values, parameter.name, section);
    } else {
      map[std::string(parameter.name)] = values.number(parameter.name);
    }
  }
  WriteMap(map, section);
}

}  // namespace tokensim
