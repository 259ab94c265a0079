// Reads a run of a real engine, request by request.
//
// A CSV file with a header; columns in any order, others are ignored:
//   arrival_s                        when the client sent the request
//   intended_s                       optional: when it would have, had it had a place
//   queued_s, scheduled_s            optional: taken in by the engine; first in a batch
//   first_token_s, last_token_s      or finish_s; one of them may be left out
//   input_toks, output_toks          or input_tokens, output_tokens
//   id                               or request_id; optional: any text
//   prompt_block16_ids               optional: ids of the prompt's 16-token blocks, separated by
//                                    blanks; equal ids mean equal prompts up to there
// Times are seconds from any start. The files of `tokensim run --requests` are such runs too.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/analysis/measured_run.h"

namespace tokensim::accuracy {

// INVALID_ARGUMENT says file:line, the column and what is wrong with it.
[[nodiscard]] absl::StatusOr<MeasuredRun> ParseMeasuredRun(std::string_view contents,
                                                           const std::string& name);

}  // namespace tokensim::accuracy
