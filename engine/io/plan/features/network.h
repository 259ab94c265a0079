// Links between workers, and how KV caches move over them. Internal to engine/io.
#pragma once

#include "engine/hardware/topology.h"
#include "engine/io/plan/findings.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// The spec's network and the groups' connections to it, which apply when some worker can send a KV
// cache to another. Needs resolved groups.
void ResolveNetwork(v1::Spec* spec, Findings* findings);

[[nodiscard]] NetworkConfig CompileNetwork(const v1::Spec& resolved);

}  // namespace tokensim
