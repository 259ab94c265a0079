#include "engine/io/plan/features/compute.h"

#include "absl/strings/str_cat.h"
#include "engine/compute/backend_registry.h"
#include "engine/io/plan/features/kernels.h"
#include "engine/io/plan/features/profile.h"
#include "engine/io/plan/policy_fields.h"
#include "google/protobuf/descriptor.h"

namespace tokensim {
namespace {

// The member of the oneof that is set; null: none.
const google::protobuf::FieldDescriptor* BackendField(const v1::Compute& compute) {
  const auto* backends = v1::Compute::descriptor()->FindOneofByName("backend");
  return v1::Compute::GetReflection()->GetOneofFieldDescriptor(compute, backends);
}

}  // namespace

std::string BackendName(const v1::Compute& compute) {
  if (compute.has_named()) return compute.named().name();
  const auto* field = BackendField(compute);
  return field == nullptr ? kDefaultBackend : field->name();
}

const google::protobuf::Message& BackendSection(const v1::Compute& compute) {
  return v1::Compute::GetReflection()->GetMessage(compute, BackendField(compute));
}

BackendTraits TraitsOf(const v1::Compute& compute) {
  const BackendEntry* entry = Backends().Find(BackendName(compute));
  return entry == nullptr ? BackendTraits{} : entry->traits;
}

void ChooseBackend(v1::WorkerGroup* group) {
  v1::Compute* compute = group->mutable_compute();
  if (BackendField(*compute) != nullptr) return;
  if (HasSurfaces(group->hardware())) {
    compute->mutable_kernels();
  } else {
    compute->mutable_roofline();
  }
}

bool PricesOperators(const v1::Compute& compute) { return TraitsOf(compute).prices_operators; }

void ResolveCompute(const TracePolicy& policy, const Checker& check, v1::WorkerGroup* group) {
  v1::Compute* compute = group->mutable_compute();
  Findings* const findings = check.findings();
  const std::string name = BackendName(*compute);
  const auto* field = BackendField(*compute);
  const Checker at(findings, check.Path(absl::StrCat("compute.", field->name())));
  if (!CheckPolicyName(at, "name", name, Backends())) return;
  if (compute->has_named() && v1::Compute::descriptor()->FindFieldByName(name) != nullptr) {
    at.Error("name", absl::StrCat("has a field of its own: write compute: {", name, ": {...}}"));
    return;
  }
  const BackendEntry* entry = Backends().Find(name);
  auto* section = v1::Compute::GetReflection()->MutableMessage(compute, field);
  const int64_t errors = findings->errors();
  ResolveParameters(at, {Choice(Backends(), {entry})}, section);
  if (findings->errors() == errors) CheckTogether(at, *entry, *section);
  if (!compute->has_profile()) return;
  const bool limits_known = !check.Broken("local_scheduler") && !check.Broken("model") &&
                            !findings->Broken("local_scheduler") && !findings->Broken("model");
  ResolveProfile(policy, at, limits_known, group);
}

}  // namespace tokensim
