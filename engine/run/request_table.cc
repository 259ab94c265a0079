#include "engine/run/request_table.h"

namespace tokensim {

static_assert(sizeof(RequestRecord) == 120, "a new field of a record needs a column");

void RequestTable::Add(const RequestRecord& record) {
  const size_t i = size();
  request_id_.Add(record.request_id);
  arrival_.Add(record.arrival);
  queued_.Add(record.queued);
  scheduled_.Add(record.scheduled);
  first_token_.Add(record.first_token);
  finish_.Add(record.finish);
  max_itl_.Add(record.max_itl);
  input_tokens_.Add(record.input_tokens);
  output_tokens_.Add(record.output_tokens);
  worker_.Add(record.worker);
  cached_tokens_.Set(i, record.cached_tokens);
  preemptions_.Set(i, record.preemptions);
  reject_reason_.Set(i, record.reject_reason);
  client_class_.Set(i, record.client_class);
  turn_.Set(i, record.turn);
  prefill_worker_.Set(i, record.prefill_worker - record.worker);
  conversation_.Set(i, record.conversation);
  kv_transfer_.Set(i, record.kv_transfer);
  decode_queueing_.Set(i, record.decode_queueing);
}

RequestRecord RequestTable::operator[](size_t i) const {
  return {.request_id = request_id_[i],
          .arrival = arrival_[i],
          .queued = queued_[i],
          .scheduled = scheduled_[i],
          .first_token = first_token_[i],
          .finish = finish_[i],
          .max_itl = max_itl_[i],
          .input_tokens = input_tokens_[i],
          .output_tokens = output_tokens_[i],
          .cached_tokens = cached_tokens_[i],
          .worker = worker_[i],
          .preemptions = preemptions_[i],
          .reject_reason = reject_reason_[i],
          .client_class = client_class_[i],
          .turn = turn_[i],
          .prefill_worker = worker_[i] + prefill_worker_[i],
          .conversation = conversation_[i],
          .kv_transfer = kv_transfer_[i],
          .decode_queueing = decode_queueing_[i]};
}

std::vector<RequestRecord> RequestTable::Rows() const {
  std::vector<RequestRecord> rows;
  rows.reserve(size());
  for (size_t i = 0; i < size(); ++i) rows.push_back((*this)[i]);
  return rows;
}

}  // namespace tokensim
