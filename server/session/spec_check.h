// A spec as a server accepts it: what the engine accepts, within the server's limits.
//
// Thread-safety: functions without state; PrepareForServer may compute for long.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "engine/io/plan/prepare.h"

namespace tokensim {

struct SpecLimits {
  int64_t max_requests = 10'000'000;
  int32_t max_workers = 10'000;
  TracePolicy traces = TracePolicy::NoPaths();
};

// PrepareSpec, with an ERROR finding for each limit that is exceeded.
[[nodiscard]] PreparedSpec PrepareForServer(const v1::Spec& spec, const SpecLimits& limits);

// The errors among `findings` as one status, with their fields below `prefix`; OK without any. When
// all have the same reason, the status has it too.
[[nodiscard]] absl::Status FindingsError(const std::vector<v1::Finding>& findings,
                                         const std::string& prefix);

}  // namespace tokensim
