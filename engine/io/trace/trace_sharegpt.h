// Conversations as in ShareGPT dumps.
//
//   [{"id": "a", "conversations": [{"from": "human", "value": "Hello"},
//                                  {"from": "gpt", "tokens": 12}, ...]}, ...]
//
// Each answer (from gpt, assistant, chatgpt, bing, bard, claude) ends a turn; the messages before
// it (from human, user, system, tool) are its new input. Messages that follow each other from one
// side count as one; an answer at the beginning counts as input of the first turn; messages after
// the last answer are dropped. Every message has at least one token. Rows come in order, with the
// number of their conversation and no times.
//
//   auto table = ParseShareGpt(contents, "sharegpt.json", {.offset = 0, .limit = 100});
//
// Internal to engine/io/trace.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/io/trace/trace_format.h"

namespace tokensim {

// A rough count of the tokens of a text in UTF-8, for messages without `tokens`: the mean of two
// rules of thumb for English, a token for 4 characters and 4 tokens for 3 words ("What are tokens
// and how to count them?", OpenAI help center), and one token for each character beyond ASCII. A
// tokenizer may well differ from it by a third for English, more for code and other languages.
[[nodiscard]] int64_t EstimateTokens(std::string_view text);

// The slice counts conversations; those without an answer are skipped.
[[nodiscard]] absl::StatusOr<TraceTable> ParseShareGpt(std::string_view contents,
                                                       const std::string& name, TraceSlice slice);

}  // namespace tokensim
