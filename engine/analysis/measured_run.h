// A run of a real engine, request by request: what `tokensim accuracy` compares a simulation with.
//
//   absl::StatusOr<MeasuredRun> run = ReadMeasuredRun("run.csv");
//   spec.mutable_workload()->Swap(&workload);   // ToWorkload(*run): the same requests again
//
// A CSV file with a header; columns in any order, others are ignored:
//   arrival_s                        when the client sent the request
//   queued_s, scheduled_s            optional: taken in by the engine; first in a batch
//   first_token_s, last_token_s      or finish_s
//   input_toks, output_toks          or input_tokens, output_tokens
//   id                               or request_id; optional: any text
//   prompt_block16_ids               optional: ids of the prompt's 16-token blocks, separated by
//                                    blanks; equal ids mean equal prompts up to there
// Times are seconds from any start. The files of `tokensim run --requests` are such runs too.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/base/time.h"

namespace tokensim::accuracy {

inline constexpr int32_t kPromptBlockTokens = 16;

struct MeasuredRequest {
  std::string id;
  // From the first arrival of the run.
  SimTime arrival = 0;
  SimTime queued = kUnset;     // unset: the run does not say
  SimTime scheduled = kUnset;  // the same
  SimTime first_token = 0;
  SimTime last_token = 0;
  int32_t input_tokens = 1;
  int32_t output_tokens = 1;
  std::vector<int64_t> prompt_block_ids;
};

struct MeasuredRun {
  std::string name;
  bool has_queued = false;
  bool has_scheduled = false;
  bool has_prompt_block_ids = false;
  std::vector<MeasuredRequest> requests;  // in order of arrival, not empty
};

// INVALID_ARGUMENT says file:line, the column and what is wrong with it.
[[nodiscard]] absl::StatusOr<MeasuredRun> ParseMeasuredRun(std::string_view contents,
                                                           const std::string& name);

}  // namespace tokensim::accuracy
