#include "engine/worker/decode_groups.h"

#include <algorithm>

namespace tokensim {
namespace {

// Where in a ring, whose next slot is `cursor`, what grows by one a step is a multiple of its size.
size_t SlotOf(int64_t count, size_t cursor, size_t size) {
  const size_t slot = cursor + size - static_cast<size_t>(count) % size;
  return slot >= size ? slot - size : slot;
}

}  // namespace

DecodeGroups::DecodeGroups(const BlockLayout& layout, const std::vector<AttentionWindow>& asked)
    : windows_(asked.size()), asked_(asked.size()) {
  for (const AttentionWindow& window : asked) contexts_.push_back({window});
  for (const BlockGroup& shape : layout.groups()) {
    const auto size = static_cast<size_t>(shape.block_size);
    groups_.push_back({.shape = shape, .due = std::vector<int32_t>(size)});
    if (shape.window == 0) continue;
    if (!shape.chunked) groups_.back().going.resize(size);
    const AttentionWindow window = {shape.window, shape.chunked};
    const auto same = std::find_if(contexts_.begin(), contexts_.end(),
                                   [&](const auto& context) { return context.window == window; });
    const auto index = static_cast<size_t>(same - contexts_.begin());
    if (same == contexts_.end()) {
      contexts_.push_back({window});
      windows_.emplace_back();
    }
    windows_[index].groups.push_back(groups_.size() - 1);
  }
}

int64_t DecodeGroups::blocks_due() const {
  int64_t blocks = 0;
  for (const Group& group : groups_) {
    blocks += int64_t{group.shape.count} * group.due[group.cursor];
  }
  return blocks;
}

void DecodeGroups::Change(int64_t computed, int64_t members) {
  for (Group& group : groups_) {
    group.due[SlotOf(computed, group.cursor, group.due.size())] += static_cast<int32_t>(members);
  }
  for (size_t i = 0; i < windows_.size(); ++i) ChangeWindow(i, computed, members);
}

void DecodeGroups::ChangeWindow(size_t index, int64_t computed, int64_t members) {
  Window& window = windows_[index];
  const auto [size, chunked] = contexts_[index].window;
  const int64_t held = chunked ? computed % size : std::min<int64_t>(computed, size - 1);
  contexts_[index].context += members * (held + 1);
  if (!chunked && held == size - 1) return AddFull(window, computed, members);
  const int64_t left = size - held - (chunked ? 0 : 1);
  window.growing += members;
  const auto change = window.changes.try_emplace(iteration_ + left, 0).first;
  change->second += members;
  if (change->second == 0) window.changes.erase(change);
}

void DecodeGroups::AddFull(const Window& window, int64_t computed, int64_t members) {
  for (const size_t i : window.groups) {
    Group& group = groups_[i];
    const int64_t behind = computed + 2 - group.shape.window;  // when the next token is computed
    group.going[SlotOf(behind, group.cursor, group.going.size())] += static_cast<int32_t>(members);
  }
}

int64_t DecodeGroups::Advance() {
  ++iteration_;
  int64_t given_up = 0;
  for (Group& group : groups_) {
    if (!group.going.empty()) given_up += int64_t{group.shape.count} * group.going[group.cursor];
    if (++group.cursor == group.due.size()) group.cursor = 0;
  }
  for (size_t i = 0; i < windows_.size(); ++i) {
    contexts_[i].context += windows_[i].growing;
    auto& changes = windows_[i].changes;
    if (changes.empty() || changes.begin()->first != iteration_) continue;
    const int64_t members = changes.begin()->second;
    changes.erase(changes.begin());
    given_up += ChangeGrown(i, members);
  }
  return given_up;
}

int64_t DecodeGroups::ChangeGrown(size_t index, int64_t members) {
  Window& window = windows_[index];
  const auto [size, chunked] = contexts_[index].window;
  if (!chunked) {
    window.growing -= members;
    AddFull(window, size - 1, members);
    return 0;
  }
  contexts_[index].context -= members * size;
  window.changes[iteration_ + size] += members;
  int64_t blocks = 0;
  for (const size_t i : window.groups) {
    const BlockGroup& shape = groups_[i].shape;
    blocks += int64_t{shape.count} * (size / shape.block_size);
  }
  return members * blocks;
}

}  // namespace tokensim
