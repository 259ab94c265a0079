// Reads measured request traces.
//
//   auto trace = ReadTraceFile("AzureLLMInferenceTrace_conv.csv", nullptr, {});
//
// Formats (named as in specs; trace_format.h says what one is):
//   azure_csv       TIMESTAMP,ContextTokens,GeneratedTokens; Azure LLM inference trace 2023
//   burstgpt_csv    Timestamp,[Session ID,[Elapsed time,]]Model,Request tokens,Response tokens,...;
//                   seconds. Rows with 0 response tokens are failed requests: they are skipped.
//   mooncake_jsonl  {"timestamp": ms, "input_length", "output_length", "hash_ids": [...]}
//   csv             header with input_tokens, output_tokens and optionally arrival_s and one of
//                   conversation, session: rows with the same one are its turns
//   jsonl           objects with the same keys as csv, and optionally hash_ids as Mooncake's
//   lengths_csv     num_prefill_tokens,num_decode_tokens,...; no timestamps
//   sharegpt_json   [{"id", "conversations": [{"from", "value" or "tokens"}, ...]}, ...]: one row
//                   for each answer; see trace_sharegpt.h
// hash_ids are of 512 tokens each.
// Without a format the header or the first row decides. Every malformed row is INVALID_ARGUMENT with
// file:line and the reason; an unreadable file is NOT_FOUND. Rows must be in order of time.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/io/trace/trace_format.h"
#include "engine/workload/workload.h"

namespace tokensim {

// `format`: null to find it out.
[[nodiscard]] absl::StatusOr<TraceTable> ReadTraceFile(const std::string& path,
                                                       const TraceFormat* format, TraceSlice slice);

// The same on the contents of a file; `name` is used in messages.
[[nodiscard]] absl::StatusOr<TraceTable> ParseTrace(std::string_view contents,
                                                    const std::string& name,
                                                    const TraceFormat* format, TraceSlice slice);

}  // namespace tokensim
