// The compute backends by name.
//
//   plan.workers[0].compute = Backends().Make("roofline")->Make(context);
#pragma once

#include "engine/compute/backend.h"

namespace tokensim {

[[nodiscard]] const BackendRegistry& Backends();

inline constexpr char kDefaultBackend[] = "roofline";

}  // namespace tokensim
