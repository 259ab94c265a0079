// Per-request exports: one row per request, by request id.
//
// Columns: request_id, arrival_s, queued_s, scheduled_s, first_token_s, finish_s, input_tokens,
// output_tokens, cached_tokens, preemptions, worker, ttft_s, tpot_s, e2e_s, max_itl_s,
// reject_reason. Times are simulated seconds with nine decimals; what did not happen is empty (CSV)
// or null (JSONL).
#pragma once

#include <iosfwd>
#include <span>

#include "engine/core/results.h"

namespace tokensim {

void WriteRequestsCsv(std::span<const RequestRecord> records, std::ostream& out);
void WriteRequestsJsonl(std::span<const RequestRecord> records, std::ostream& out);

// "max_model_len", "kv_capacity", "".
[[nodiscard]] const char* RejectReasonName(RejectReason reason);

}  // namespace tokensim
