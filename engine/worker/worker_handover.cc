// What comes to a worker and leaves it beside its iterations: KV caches, and all it has when it
// fails.
#include <vector>

#include "engine/worker/worker.h"

namespace tokensim {

void Worker::FreeOutgoing(const Holdings& holdings, SimTime now) {
  Account(now);
  state_.FreeOutgoing(holdings);
  Publish();
}

bool Worker::ReserveLoad(RequestHandle handle, SimTime now) {
  Account(now);
  if (!state_.ReserveLoad(handle)) return false;
  Publish();
  return true;
}

void Worker::BeginReservedLoad(RequestHandle handle, SimTime now) {
  Account(now);
  state_.BeginReservedLoad(handle, now);
}

void Worker::FinishLoad(RequestHandle handle, SimTime now) {
  Account(now);
  const LiveRequest& r = context_.slab[handle];
  if (r.kv_source == KvSource::kHost) stats_.swapped_in_blocks += state_.BlocksFor(r.kv_tokens);
  state_.FinishLoad(handle);
  Publish();
}

void Worker::CancelLoad(RequestHandle handle, SimTime now) {
  Account(now);
  state_.CancelLoad(handle);
  Publish();
}

bool Worker::Fail() {
  failing_ = true;
  return !iterating();
}

std::vector<RequestHandle> Worker::Evacuate(SimTime now) {
  Account(now);
  std::vector<RequestHandle> requests;
  for (const Departure& departure : state_.Evacuate()) {
    if (context_.observer != nullptr) ObserveStay(now, departure.request, departure.stay);
    requests.push_back(departure.request);
    TakeOffSignals(context_.slab[departure.request]);
  }
  failing_ = false;
  waits_ = false;
  warm_ = false;
  swaps_left_ = 0;
  current_.Clear();
  next_.Clear();
  Publish();
  return requests;
}

}  // namespace tokensim
