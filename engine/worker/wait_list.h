// The requests in the queues of one worker in the order in which they came there: since when the
// first of them waits.
//
//   waits.Add(request, now);    // it came, or was preempted
//   waits.Remove(request);      // it runs, or is gone
//   waits.oldest();             // since when somebody waits; kNever: nobody does
//
// A list through what the requests have beside (RequestExtras): all operations are O(1) but Clear.
#pragma once

#include "engine/base/time.h"
#include "engine/worker/live_request.h"

namespace tokensim {

class WaitList {
 public:
  explicit WaitList(RequestSlab& slab) : slab_(slab) {}

  // It is in no list. `now`: not before the one of any call before.
  void Add(RequestHandle handle, SimTime now) {
    RequestExtras& r = slab_.Extras(handle);
    r.waits_since = now;
    r.wait_prev = last_;
    r.wait_next = kNoRequest;
    (last_ == kNoRequest ? first_ : slab_.Extras(last_).wait_next) = handle;
    last_ = handle;
  }
  // Does nothing with one that is in no list.
  void Remove(RequestHandle handle) {
    RequestExtras* const r = slab_[handle].extras;
    if (r == nullptr || r->waits_since == kUnset) return;
    r->waits_since = kUnset;
    (r->wait_prev == kNoRequest ? first_ : slab_.Extras(r->wait_prev).wait_next) = r->wait_next;
    (r->wait_next == kNoRequest ? last_ : slab_.Extras(r->wait_next).wait_prev) = r->wait_prev;
  }
  void Clear() {
    while (first_ != kNoRequest) Remove(first_);
  }

  [[nodiscard]] SimTime oldest() const {
    return first_ == kNoRequest ? kNever : slab_[first_].extras->waits_since;
  }

 private:
  RequestSlab& slab_;
  RequestHandle first_ = kNoRequest;
  RequestHandle last_ = kNoRequest;
};

}  // namespace tokensim
