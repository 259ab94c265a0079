// `tokensim run --local`: the engine in this process, no server.
#pragma once

#include "clients/cli/exit_code.h"
#include "clients/cli/options.h"
#include "clients/cli/results.h"
#include "clients/cli/spec_input.h"

namespace tokensim::cli {

// Runs input.prepared.plan. `operators`: the report says what each operator takes, which is slow.
[[nodiscard]] ExitCode RunLocal(const SpecInput& input, const TalkOptions& talk, bool operators,
                                RunResults* results);

}  // namespace tokensim::cli
