// The KV blocks and windows of the decoding requests of one worker, by group of a BlockLayout.
//
// What engine/worker/decode_set.h says of one group of full attention, of several, some with
// windows. A member has c tokens in the cache, one more after every iteration; of each group, with
// blocks of s tokens:
//
//   blocks due     as there, a ring of s counters.
//   given up       a window of W tokens loses a block when c - W + 1 becomes a multiple of s, above
//                  0: a second ring of s counters, of the members with c >= W - 1, which are full.
//   attended to    by the next token of a member, itself included: c + 1 until it is full, then W.
//                  So the sum grows by the members that are not full.
//   full           when a member gets full is known when it joins: a calendar, by iteration, of how
//                  many do. Who they are does not matter: all have W - 1 tokens then.
//   chunked        c modulo C, plus 1, is attended to; when c becomes a multiple of C, C / s blocks
//                  go. The calendar has the next such iteration, and members stay in it.
//
// Attention windows that the compute model asks for are counted beside those of the layout, which
// are often the same.
//
// Join and leave cost O(log n) for the calendar, an iteration O(1) beside the members that get full
// in it. Memory: s counters a group, and the iterations in which somebody gets full.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "engine/compute/compute_model.h"
#include "engine/memory/block_layout.h"

namespace tokensim {

class DecodeGroups {
 public:
  // `asked`: of the compute model, each once.
  DecodeGroups(const BlockLayout& layout, const std::vector<AttentionWindow>& asked);

  // Blocks that the members need for the next iteration.
  [[nodiscard]] int64_t blocks_due() const;
  // Of each window that was asked for, what the members attend to in the next iteration.
  [[nodiscard]] std::span<const WindowContext> windows() const {
    return std::span(contexts_).first(asked_);
  }

  // A member with so many tokens in the cache comes or goes.
  void Join(int64_t computed) { Change(computed, 1); }
  void Leave(int64_t computed) { Change(computed, -1); }
  // Every member got a token: the blocks that windows give up.
  int64_t Advance();

 private:
  struct Group {
    BlockGroup shape;
    std::vector<int32_t> due;    // members that need a block, by iteration modulo block size
    std::vector<int32_t> going;  // full ones that give one up; empty unless a window moves
    size_t cursor = 0;           // the next iteration
  };
  struct Window {
    std::vector<size_t> groups;  // that have it
    int64_t growing = 0;         // members that are not full; of chunked windows all
    // ... by iteration after which they are, or begin anew.
    std::map<int64_t, int64_t> changes;
  };

  void Change(int64_t computed, int64_t members);
  void ChangeWindow(size_t index, int64_t computed, int64_t members);
  // Members with so many tokens are full from now on, or were.
  void AddFull(const Window& window, int64_t computed, int64_t members);
  // Members that reach the end of a window in the iteration that ended.
  int64_t ChangeGrown(size_t index, int64_t members);

  std::vector<Group> groups_;
  std::vector<Window> windows_;
  std::vector<WindowContext> contexts_;  // of windows_
  size_t asked_;                         // the first of them
  int64_t iteration_ = 0;                // iterations that have ended
};

}  // namespace tokensim
