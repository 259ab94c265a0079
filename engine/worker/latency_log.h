// The stamps of the tokens that requests get on one worker: first token, last one, longest gap.
//
// A request that decodes gets a token in every iteration with decodes, so its gaps are the durations
// of these iterations: one stack of them (GapMaximum) serves everybody, and a request is stamped
// when it stops to decode. Only its first gap may be another: from its prompt's token, or from the
// last one it got elsewhere, to the end of its first iteration.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/time.h"
#include "engine/worker/gap_maximum.h"
#include "engine/worker/live_request.h"

namespace tokensim {

class LatencyLog {
 public:
  // `pauses_decodes`: some iterations run prompts only, and hold up the decodes.
  LatencyLog(RequestSlab& slab, bool pauses_decodes)
      : slab_(slab), pauses_decodes_(pauses_decodes) {}

  // A prompt is complete, and gave a token at `end`. True: it is the first of the request's life.
  bool AddPromptToken(LiveRequest* r, SimTime end) {
    const bool first = r->first_token == kUnset;
    if (first) {
      r->first_token = end;
    } else {
      r->max_itl = std::max(r->max_itl, end - r->last_token);
    }
    r->last_token = end;
    r->stay_token = end;
    return first;
  }

  // The request decodes from the next iteration on. `first_gap_apart`: its first gap is not just
  // the duration of that iteration.
  void Join(RequestHandle handle, bool first_gap_apart) {
    slab_[handle].first_gap_apart = first_gap_apart;
    if (first_gap_apart) fresh_.push_back(handle);
  }

  // Iteration `index`, in which the requests decode, begins, or is about to.
  void AddIteration(int64_t index, SimTime begin, SimTime end) {
    // Decodes that an iteration of prompts held up wait since the last one they took part in.
    const bool held_up = pauses_decodes_ && last_end_ < begin;
    gaps_.Push(index, held_up ? end - last_end_ : end - begin);
    last_end_ = end;
    for (const RequestHandle handle : fresh_) {
      LiveRequest& r = slab_[handle];
      r.max_itl = std::max(r.max_itl, end - r.last_token);
    }
    fresh_.clear();
  }

  // The request stops to decode, of which `next_iteration` is the first that it has no part in.
  void Leave(RequestHandle handle, int64_t next_iteration) {
    LiveRequest& r = slab_[handle];
    if (next_iteration > r.decode_start) {
      // The first gap apart is in max_itl already.
      r.max_itl = std::max(r.max_itl, gaps_.Since(r.decode_start + (r.first_gap_apart ? 1 : 0)));
      r.last_token = last_end_;
    } else if (r.first_gap_apart) {
      std::erase(fresh_, handle);
    }
  }

  // Iterations that are remembered; nobody will ask for those before `first` any more.
  [[nodiscard]] size_t size() const { return gaps_.size(); }
  void DropBefore(int64_t first) { gaps_.DropBefore(first); }

 private:
  RequestSlab& slab_;
  const bool pauses_decodes_;
  GapMaximum gaps_;
  SimTime last_end_ = 0;              // of the last iteration with decodes
  std::vector<RequestHandle> fresh_;  // with a first gap apart, before their first iteration
};

}  // namespace tokensim
