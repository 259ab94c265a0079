// Prompts with shared beginnings. Internal to engine/io.
#pragma once

#include "engine/io/plan/findings.h"
#include "engine/workload/workload.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

void ResolvePrefixGroups(v1::Workload* workload, Findings* findings);

[[nodiscard]] PrefixGroupConfig ToPrefixGroups(const v1::PrefixGroups& groups);

}  // namespace tokensim
