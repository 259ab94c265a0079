// The decoding requests of one worker, as aggregates.
//
// Every member gets one token in every iteration of the worker, so what an iteration needs to know
// about them is kept as a few numbers that move by one per iteration; a walk over the members never
// happens (../../docs/engine.md). With count n, and c_i the tokens member i has in the KV cache:
//
//   sum of c_i     grows by n per iteration.
//   blocks due     member i needs a new block when c_i is a multiple of the block size. Since every
//                  c_i grows by one per iteration, the iteration in which that happens is fixed
//                  modulo the block size: a ring of block_size counters tells how many are due.
//   finishes       a member that begins to decode in iteration s with r tokens to go gets its last
//                  one in iteration s + r - 1: a calendar of lists, indexed by that iteration
//                  modulo kCalendarSize (later ones wait in the list for their round).
//
//   longest        every c_i grows by one per iteration, so c_i minus the iteration is fixed: the
//                  greatest of them is the top of a heap, of which those that left are taken off
//                  when they surface. Only for compute models that ask, as join and leave cost
//                  O(log n).
//
//   groups         layers that do not all keep every token have blocks in groups: what is due, what
//                  windows give up, and what is attended to through them is for DecodeGroups.
//
// Join, leave and the work per iteration are O(1) otherwise.
#pragma once

#include <cstdint>
#include <memory>
#include <queue>
#include <vector>

#include "engine/base/invariant.h"
#include "engine/memory/block_layout.h"
#include "engine/worker/decode_groups.h"
#include "engine/worker/live_request.h"

namespace tokensim {

class DecodeSet {
 public:
  // `layout`: null when all blocks hold `block_size` tokens of every layer. `windows`: of the
  // compute model.
  DecodeSet(RequestSlab& slab, int32_t block_size, bool tracks_longest = false,
            const BlockLayout* layout = nullptr, const std::vector<AttentionWindow>& windows = {})
      : slab_(slab),
        phase_(static_cast<size_t>(block_size)),
        calendar_(kCalendarSize, kNoRequest),
        tracks_longest_(tracks_longest) {
    if (layout == nullptr && windows.empty()) return;
    const BlockLayout plain({.groups = {{.block_size = block_size}}});
    groups_ = std::make_unique<DecodeGroups>(layout == nullptr ? plain : *layout, windows);
  }

  [[nodiscard]] int32_t count() const { return count_; }
  // Sum over the members of the tokens in the cache before the next iteration.
  [[nodiscard]] int64_t computed_sum() const { return computed_sum_; }
  // Members that need a new block for the next iteration.
  [[nodiscard]] int64_t blocks_due() const {
    return groups_ == nullptr ? phase_[cursor_] : groups_->blocks_due();
  }
  // Null: all layers keep every token, and the compute model asks for no window.
  [[nodiscard]] const DecodeGroups* groups() const { return groups_.get(); }
  // The greatest number of them of one member; 0 without members, or when it is not tracked.
  [[nodiscard]] int64_t longest() {
    while (!left_.empty() && left_.top() == joined_.top()) {
      left_.pop();
      joined_.pop();
    }
    return joined_.empty() ? 0 : joined_.top() + next_iteration_;
  }
  // Index of the next iteration.
  [[nodiscard]] int64_t next_iteration() const { return next_iteration_; }

  // Tokens in the cache, and tokens generated, of a member now.
  [[nodiscard]] int32_t Computed(const LiveRequest& r) const {
    return r.computed + static_cast<int32_t>(next_iteration_ - r.decode_start);
  }
  [[nodiscard]] int32_t Generated(const LiveRequest& r) const {
    return r.generated + static_cast<int32_t>(next_iteration_ - r.decode_start);
  }

  // The request decodes from the next iteration on; `computed` and `generated` are set.
  void Join(RequestHandle handle) {
    LiveRequest& r = slab_[handle];
    r.decoding = true;
    r.decode_start = next_iteration_;
    const auto block_size = static_cast<uint32_t>(phase_.size());
    uint32_t slot = cursor_ + block_size - static_cast<uint32_t>(r.computed) % block_size;
    if (slot >= block_size) slot -= block_size;
    r.phase = static_cast<int32_t>(slot);
    ++phase_[slot];
    ++count_;
    computed_sum_ += r.computed;
    if (tracks_longest_) joined_.push(r.computed - next_iteration_);
    if (groups_ != nullptr) groups_->Join(r.computed);
    RequestHandle& head = calendar_[Bucket(LastIteration(r))];
    r.calendar_prev = kNoRequest;
    r.calendar_next = head;
    if (head != kNoRequest) slab_[head].calendar_prev = handle;
    head = handle;
  }

  // Removes a member before the next iteration; brings its `computed` and `generated` up to date.
  void Leave(RequestHandle handle) {
    LiveRequest& r = slab_[handle];
    if (r.calendar_next != kNoRequest) slab_[r.calendar_next].calendar_prev = r.calendar_prev;
    if (r.calendar_prev != kNoRequest) {
      slab_[r.calendar_prev].calendar_next = r.calendar_next;
    } else {
      calendar_[Bucket(LastIteration(r))] = r.calendar_next;
    }
    --phase_[static_cast<size_t>(r.phase)];
    --count_;
    const int32_t computed = Computed(r);
    r.generated = Generated(r);
    r.computed = computed;
    r.decoding = false;
    computed_sum_ -= computed;
    if (tracks_longest_) left_.push(computed - next_iteration_);
    if (groups_ != nullptr) groups_->Leave(computed);
    TOKENSIM_INVARIANT(count_ >= 0 && computed_sum_ >= 0, "decode aggregates below zero");
  }

  // An iteration ended: every member got a token. The blocks that windows give up.
  int64_t Advance() {
    computed_sum_ += count_;
    ++next_iteration_;
    if (++cursor_ == phase_.size()) cursor_ = 0;
    return groups_ == nullptr ? 0 : groups_->Advance();
  }

  // Whether anyone may get its last token in the next iteration (never a wrong "no").
  [[nodiscard]] bool MayFinishNext() const {
    return calendar_[Bucket(next_iteration_)] != kNoRequest;
  }
  // Members whose last token came in the iteration that Advance just ended, one by one; the caller
  // makes each leave before asking again. kNoRequest: no more.
  [[nodiscard]] RequestHandle NextFinished() const {
    RequestHandle handle = calendar_[Bucket(next_iteration_ - 1)];
    while (handle != kNoRequest && LastIteration(slab_[handle]) != next_iteration_ - 1) {
      handle = slab_[handle].calendar_next;
    }
    return handle;
  }

 private:
  static constexpr size_t kCalendarSize = 1024;

  static size_t Bucket(int64_t iteration) {
    return static_cast<size_t>(iteration) & (kCalendarSize - 1);
  }
  static int64_t LastIteration(const LiveRequest& r) {
    return r.decode_start + (r.output_tokens - r.generated) - 1;
  }

  RequestSlab& slab_;
  std::vector<int32_t> phase_;  // indexed by iteration modulo block size
  std::vector<RequestHandle> calendar_;
  std::unique_ptr<DecodeGroups> groups_;
  uint32_t cursor_ = 0;  // next_iteration_ modulo block size
  int32_t count_ = 0;
  int64_t computed_sum_ = 0;
  int64_t next_iteration_ = 0;
  bool tracks_longest_;
  // Tokens in the cache minus the iteration: of all that joined, and of those of them that left.
  std::priority_queue<int64_t> joined_;
  std::priority_queue<int64_t> left_;
};

}  // namespace tokensim
