// What a worker tells its observer.
#include <algorithm>

#include "engine/worker/breakpoints.h"
#include "engine/worker/worker.h"

namespace tokensim {

void Worker::ObserveIteration(SimTime now) {
  const IterationShape shape = current_.shape();
  context_.observer->OnEvent(
      now, IterationEvent{.worker = index_,
                          .index = stats_.iterations,
                          .duration = now - begin_,
                          .prefill_tokens = shape.prefill_tokens,
                          .prefill_chunks = static_cast<int32_t>(shape.prefill.size()),
                          .decode_tokens = shape.decode_count,
                          .kv_blocks_used = current_.blocks,
                          .running = current_.running,
                          .waiting = current_.waiting});
  if (!plan_.breakpoints.empty()) {
    ObserveOperators(plan_, index_, shape, {begin_, compute_begin_, now}, context_.observer);
  }
}

// They were there before the iteration computed; times of a stream never decrease.
void Worker::ObserveFetches(SimTime now) {
  for (const PoolFetch& fetch : current_.fetches) {
    context_.observer->OnEvent(now, TransferredEvent{.request_id = context_.slab[fetch.request].id,
                                                     .from = -1,
                                                     .to = index_,
                                                     .start = begin_,
                                                     .bytes = plan_.KvBytes(fetch.tokens),
                                                     .tokens = fetch.tokens});
  }
}

void Worker::ObserveFirstTokens(SimTime now) {
  for (const RequestHandle handle : current_.first_tokens) {
    context_.observer->OnEvent(now, FirstTokenEvent{context_.slab[handle].id, index_});
  }
}

void Worker::ObserveChanges(SimTime now, const Batch& batch, bool admissions, bool preemptions) {
  for (const int32_t change : batch.changes) {
    if (change >= 0 && admissions) {
      ObserveAdmission(now, batch.admitted[static_cast<size_t>(change)], batch);
    } else if (change < 0 && preemptions) {
      ObservePreemption(now, batch.preempted[static_cast<size_t>(~change)]);
    }
  }
}

void Worker::ObserveAdmission(SimTime now, RequestHandle handle, const Batch& batch) {
  const LiveRequest& r = context_.slab[handle];
  const auto& swapped = batch.swapped_in;
  if (std::find(swapped.begin(), swapped.end(), handle) != swapped.end()) {
    context_.observer->OnEvent(now, SwappedEvent{.request_id = r.id,
                                                 .worker = index_,
                                                 .out = false,
                                                 .blocks = state_.BlocksFor(r.kv_tokens),
                                                 .generated_tokens = r.generated});
  }
  context_.observer->OnEvent(now, ScheduledEvent{r.id, index_});
}

void Worker::ObservePreemption(SimTime now, const Preemption& preemption) {
  const int64_t id = context_.slab[preemption.request].id;
  ObserveStay(now, preemption.request, preemption.stay);
  context_.observer->OnEvent(now, PreemptedEvent{id, index_, preemption.generated});
  if (preemption.swapped_blocks == 0) return;
  context_.observer->OnEvent(now, SwappedEvent{.request_id = id,
                                               .worker = index_,
                                               .out = true,
                                               .blocks = preemption.swapped_blocks,
                                               .generated_tokens = preemption.generated});
}

void Worker::ObserveStay(SimTime now, RequestHandle handle, const Stay& stay) {
  std::vector<SimTime>& times = context_.token_times;
  times.clear();
  int32_t first = stay.tokens_before;
  if (stay.prefill_token != kUnset) {
    times.push_back(stay.prefill_token);
    --first;
  }
  if (stay.decode_start >= 0) {
    const auto begin = log_.begin() + static_cast<std::ptrdiff_t>(stay.decode_start - log_first_);
    for (auto it = begin; it != log_.end() && *it <= now; ++it) times.push_back(*it);
  }
  if (times.empty()) return;
  context_.observer->OnEvent(now, TokensEvent{.request_id = context_.slab[handle].id,
                                              .worker = index_,
                                              .first_token_index = first,
                                              .times = times});
}

}  // namespace tokensim
