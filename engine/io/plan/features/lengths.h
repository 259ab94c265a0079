// How long prompts and outputs are. Internal to engine/io.
#pragma once

#include <cstdint>
#include <string>

#include "engine/io/plan/findings.h"
#include "engine/workload/workload.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Whether they say anything.
[[nodiscard]] bool LengthsAreSet(const v1::Lengths& lengths);
void ResolveLengths(const std::string& path, v1::Lengths* lengths, Findings* findings);
// Tokens of the shortest request that the lengths can give, input and output; `rows` are the trace's.
[[nodiscard]] int64_t ShortestOf(const v1::Lengths& lengths, const v1::TraceRows& rows);

[[nodiscard]] Lengths ToLengths(const v1::Lengths& lengths);

}  // namespace tokensim
