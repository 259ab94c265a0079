// A random duration: think times of users and conversations. Internal to engine/io.
#pragma once

#include "engine/io/plan/findings.h"
#include "engine/workload/workload.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// `check` is the duration's.
void ResolveDuration(const Checker& check, v1::DurationDistribution* duration);
// Of a duration without errors.
[[nodiscard]] double MeanSeconds(const v1::DurationDistribution& duration);

[[nodiscard]] DurationDistribution ToDuration(const v1::DurationDistribution& duration);

}  // namespace tokensim
