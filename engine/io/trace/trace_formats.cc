#include "engine/io/trace/trace_format.h"
#include "engine/io/trace/trace_sharegpt.h"

namespace tokensim {
namespace {

constexpr TraceFormat kFormats[] = {
    {.name = "azure_csv",
     .description = "Azure LLM inference trace: TIMESTAMP,ContextTokens,GeneratedTokens",
     .time_kind = TimeKind::kDate,
     .time_required = true,
     .time_key = "TIMESTAMP",
     .input_key = "ContextTokens",
     .output_key = "GeneratedTokens"},
    {.name = "burstgpt_csv",
     .description =
         "BurstGPT: Timestamp,...,Request tokens,Response tokens,...; failed requests are skipped",
     .time_kind = TimeKind::kSeconds,
     .time_required = true,
     .zero_output_is_failure = true,
     .time_key = "Timestamp",
     .input_key = "Request tokens",
     .output_key = "Response tokens"},
    {.name = "mooncake_jsonl",
     .description = "Mooncake: objects with timestamp (ms), input_length, output_length, hash_ids",
     .json = true,
     .time_kind = TimeKind::kMilliseconds,
     .time_required = true,
     .time_key = "timestamp",
     .input_key = "input_length",
     .output_key = "output_length",
     .hash_ids = true},
    {.name = "csv",
     .description =
         "CSV with columns input_tokens, output_tokens and optionally arrival_s, conversation",
     .time_kind = TimeKind::kSeconds,
     .time_key = "arrival_s",
     .input_key = "input_tokens",
     .output_key = "output_tokens",
     .conversations = true},
    {.name = "jsonl",
     .description =
         "an object a line: input_tokens, output_tokens, optionally arrival_s, conversation, "
         "hash_ids",
     .json = true,
     .time_kind = TimeKind::kSeconds,
     .time_key = "arrival_s",
     .input_key = "input_tokens",
     .output_key = "output_tokens",
     .conversations = true,
     .hash_ids = true},
    {.name = "lengths_csv",
     .description = "CSV with columns num_prefill_tokens, num_decode_tokens; no times",
     .input_key = "num_prefill_tokens",
     .output_key = "num_decode_tokens"},
    {.name = "sharegpt_json",
     .description = "ShareGPT: a JSON list of conversations, with tokens or text to estimate them",
     .parse = ParseShareGpt,
     .opens_with = '['},
};

}  // namespace

std::span<const TraceFormat> TraceFormats() { return kFormats; }

const TraceFormat* FindTraceFormat(std::string_view name) {
  for (const TraceFormat& format : kFormats) {
    if (format.name == name) return &format;
  }
  return nullptr;
}

}  // namespace tokensim
