// Reads measured request traces.
//
//   auto trace = ReadTraceFile("AzureLLMInferenceTrace_conv.csv", TraceFormat::kAuto, {});
//
// Formats (named as in specs):
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
// kAuto decides by the header or the first row. Every malformed row is INVALID_ARGUMENT with
// file:line and the reason; an unreadable file is NOT_FOUND. Rows must be in order of time.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/workload/workload.h"

namespace tokensim {

enum class TraceFormat {
  kAuto,
  kAzureCsv,
  kBurstGptCsv,
  kMooncakeJsonl,
  kCsv,
  kJsonl,
  kLengthsCsv,
  kShareGptJson
};

struct TraceFormatInfo {
  TraceFormat format;
  std::string_view name;         // as in specs
  std::string_view description;  // one line, for the catalog
};
// Every format but kAuto.
[[nodiscard]] const std::vector<TraceFormatInfo>& TraceFormats();
[[nodiscard]] std::optional<TraceFormat> TraceFormatFromName(std::string_view name);

// Which data rows (of sharegpt_json: conversations) to keep, counted before skipping; arrivals are
// relative to the first kept row. Rows before the slice are checked like the others, rows after it
// are not read. Keeping no row is INVALID_ARGUMENT.
struct TraceSlice {
  int64_t offset = 0;
  int64_t limit = std::numeric_limits<int64_t>::max();
};

[[nodiscard]] absl::StatusOr<TraceTable> ReadTraceFile(const std::string& path, TraceFormat format,
                                                       TraceSlice slice);

// The same on the contents of a file; `name` is used in messages.
[[nodiscard]] absl::StatusOr<TraceTable> ParseTrace(std::string_view contents,
                                                    const std::string& name, TraceFormat format,
                                                    TraceSlice slice);

}  // namespace tokensim
