// Per-request exports: one row per request, by request id.
//
// Columns: request_id, arrival_s, queued_s, scheduled_s, first_token_s, finish_s, input_tokens,
// output_tokens, cached_tokens, preemptions, worker, ttft_s, tpot_s, e2e_s, max_itl_s,
// reject_reason, class, conversation, turn, prefill_worker, kv_transfer_s, decode_queueing_s.
// Times are simulated seconds with nine decimals; what did not happen or does not apply is empty
// (CSV) or null (JSONL).
//
//   std::vector<std::string> classes = {"chat", "batch"};   // names; none: the run has no classes
//   WriteRequestsCsv(results.records, classes, file);
#pragma once

#include <iosfwd>
#include <span>
#include <string>
#include <string_view>

#include "engine/run/request_table.h"

namespace tokensim {

// A class without a name here is written as its index, unless there are no names at all.
void WriteRequestsCsv(const RequestTable& records, std::span<const std::string> classes,
                      std::ostream& out);
void WriteRequestsJsonl(const RequestTable& records, std::span<const std::string> classes,
                        std::ostream& out);

// "max_model_len", "kv_capacity", "no_worker", "".
[[nodiscard]] const char* RejectReasonName(RejectReason reason);

// A text as a CSV cell, quoted where RFC 4180 asks for it.
[[nodiscard]] std::string CsvCell(std::string_view text);

}  // namespace tokensim
