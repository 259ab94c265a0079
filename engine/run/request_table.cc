#include "engine/run/request_table.h"

namespace tokensim {

static_assert(sizeof(RequestRecord) == 120, "a new field of a record needs a column");

void RequestTable::Add(const RequestRecord& record) {
  const size_t i = size_ % kChunk;
  if (i == 0) chunks_.emplace_back();
  Chunk& chunk = chunks_.back();
  ++size_;
  chunk.request_id[i] = record.request_id;
  chunk.arrival[i] = record.arrival;
  chunk.queued[i] = record.queued;
  chunk.scheduled[i] = record.scheduled;
  chunk.first_token[i] = record.first_token;
  chunk.finish[i] = record.finish;
  chunk.max_itl[i] = record.max_itl;
  chunk.input_tokens[i] = record.input_tokens;
  chunk.output_tokens[i] = record.output_tokens;
  chunk.worker[i] = record.worker;
  chunk.cached_tokens.Set(i, record.cached_tokens);
  chunk.preemptions.Set(i, record.preemptions);
  chunk.reject_reason.Set(i, record.reject_reason);
  chunk.client_class.Set(i, record.client_class);
  chunk.turn.Set(i, record.turn);
  chunk.prefill_worker.Set(i, record.prefill_worker - record.worker);
  chunk.conversation.Set(i, record.conversation);
  chunk.kv_transfer.Set(i, record.kv_transfer);
  chunk.decode_queueing.Set(i, record.decode_queueing);
}

RequestRecord RequestTable::operator[](size_t i) const {
  const Row r = row(i);
  return {.request_id = r.request_id(),
          .arrival = r.arrival(),
          .queued = r.queued(),
          .scheduled = r.scheduled(),
          .first_token = r.first_token(),
          .finish = r.finish(),
          .max_itl = r.max_itl(),
          .input_tokens = r.input_tokens(),
          .output_tokens = r.output_tokens(),
          .cached_tokens = r.cached_tokens(),
          .worker = r.worker(),
          .preemptions = r.preemptions(),
          .reject_reason = r.reject_reason(),
          .client_class = r.client_class(),
          .turn = r.turn(),
          .prefill_worker = r.prefill_worker(),
          .conversation = r.conversation(),
          .kv_transfer = r.kv_transfer(),
          .decode_queueing = r.decode_queueing()};
}

std::vector<RequestRecord> RequestTable::Rows() const {
  std::vector<RequestRecord> rows;
  rows.reserve(size());
  for (size_t i = 0; i < size(); ++i) rows.push_back((*this)[i]);
  return rows;
}

}  // namespace tokensim
