// What the groups' roles need from each other. Internal to engine/io.
#pragma once

#include "engine/io/plan/findings.h"
#include "engine/run/plan.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// No error touches what the groups' roles are.
[[nodiscard]] bool RolesKnown(const v1::Spec& spec, const Findings& findings);
// Some worker hands requests on. Of resolved groups.
[[nodiscard]] bool HandsOn(const v1::Spec& spec);
// Some worker may send a KV cache to another. Of resolved groups.
[[nodiscard]] bool MovesKvCaches(const v1::Spec& spec);
void CheckRoles(const v1::Spec& spec, Findings* findings);

[[nodiscard]] Role ToRole(v1::Role role);

}  // namespace tokensim
