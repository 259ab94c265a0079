// The compute model `profile`: operators as they were measured. A bundle of files is read once and
// becomes tables of the spec, as a trace becomes rows. Internal to engine/io.
#pragma once

#include "engine/compute/profile/profile_tables.h"
#include "engine/io/plan/findings.h"
#include "engine/io/plan/prepare.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// `check` is the profile's; the group's local scheduler is resolved. `limits_known`: the group's
// model and local scheduler have no errors.
void ResolveProfile(const TracePolicy& policy, const Checker& check, bool limits_known,
                    v1::WorkerGroup* group);

[[nodiscard]] ProfileTables ToProfileTables(const v1::ProfileTables& tables);

}  // namespace tokensim
