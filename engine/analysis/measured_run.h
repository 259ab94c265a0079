// A run of a real engine, request by request: what a simulation is compared with. Its file is read
// by engine/io/measured.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/time.h"

namespace tokensim::accuracy {

inline constexpr int32_t kPromptBlockTokens = 16;

struct MeasuredRequest {
  std::string id;
  // From the first arrival of the run.
  SimTime arrival = 0;          // when the client sent it
  SimTime intended = kUnset;    // when it would have, had it had a place; unset: not known
  SimTime queued = kUnset;     // unset: the run does not say
  SimTime scheduled = kUnset;  // the same
  SimTime first_token = kUnset;
  SimTime last_token = kUnset;
  int32_t input_tokens = 1;
  int32_t output_tokens = 1;
  std::vector<int64_t> prompt_block_ids;
};

struct MeasuredRun {
  std::string name;
  bool has_intended = false;
  bool has_first_token = false;
  bool has_last_token = false;  // one of the two at least
  bool has_queued = false;
  bool has_scheduled = false;
  bool has_prompt_block_ids = false;
  int64_t failed = 0;  // requests that are left out
  std::vector<MeasuredRequest> requests;  // in order of arrival, not empty
};

}  // namespace tokensim::accuracy
