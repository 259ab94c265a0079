// A link: name, bandwidth, latency; by a preset of configs/links or by its figures. Internal to
// engine/io.
#pragma once

#include <string_view>

#include "engine/hardware/topology.h"
#include "engine/io/plan/findings.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// A link at `field` of the checker's message. A name without a bandwidth is a preset; no name and no
// bandwidth is the default preset.
void ResolveLink(const Checker& check, std::string_view field, std::string_view default_preset,
                 v1::Interconnect* link);

[[nodiscard]] LinkConfig ToLink(const v1::Interconnect& link);

}  // namespace tokensim
