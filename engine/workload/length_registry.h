// The length distributions and the length sources by name.
//
//   plan.workload.lengths.source = LengthSources().Make("independent");
//   plan.workload.lengths.input.sampler = LengthDistributions().Make("fixed", {{"tokens", 512}});
#pragma once

#include "engine/workload/length_source.h"

namespace tokensim {

[[nodiscard]] const LengthSamplerRegistry& LengthDistributions();
[[nodiscard]] const LengthSourceRegistry& LengthSources();

// The source, and the distribution, of a workload that names none.
inline constexpr char kDefaultLengthSource[] = "independent";
inline constexpr char kDefaultLengthDistribution[] = "fixed";

}  // namespace tokensim
