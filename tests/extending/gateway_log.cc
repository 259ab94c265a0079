// The access log of a gateway: a JSON object a line, with the time in milliseconds.
#include "engine/io/trace/trace_format.h"

namespace tokensim {

extern constexpr TraceFormat kGatewayLog = {
    .name = "gateway_jsonl",
    .description = "log of a gateway: objects with received_ms, prompt_tokens, completion_tokens",
    .json = true,
    .time_kind = TimeKind::kMilliseconds,
    .time_required = true,
    .zero_output_is_failure = true,
    .time_key = "received_ms",
    .input_key = "prompt_tokens",
    .output_key = "completion_tokens"};

}  // namespace tokensim
