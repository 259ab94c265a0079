#include "tests/property/reference_blocks.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tokensim {

int64_t ReferenceBlocks::named_free() const {
  return std::count_if(free_.begin(), free_.end(),
                       [](const BlockName& name) { return !name.nobody(); });
}

bool ReferenceBlocks::Findable(const BlockName& name) const {
  return !name.nobody() &&
         (Held(name) || std::find(free_.begin(), free_.end(), name) != free_.end());
}

void ReferenceBlocks::Take(int64_t blocks, ReferenceHoldings* holder) {
  ASSERT_LE(blocks, free());
  for (int64_t i = 0; i < blocks; ++i) free_.pop_front();
  holder->anonymous += blocks;
}

void ReferenceBlocks::Hit(const BlockName& name, ReferenceHoldings* holder) {
  if (!Held(name)) free_.erase(std::find(free_.begin(), free_.end(), name));
  ++held_[name];
  holder->named.push_back(name);
}

void ReferenceBlocks::Name(const BlockName& name, ReferenceHoldings* holder) {
  if (name.nobody() || Findable(name)) return;
  held_[name] = 1;
  --holder->anonymous;
  holder->named.push_back(name);
}

void ReferenceBlocks::GiveBack(int64_t blocks, ReferenceHoldings* holder) {
  ASSERT_LE(blocks, holder->anonymous);
  holder->anonymous -= blocks;
  free_.insert(free_.end(), static_cast<size_t>(blocks), BlockName{});
}

void ReferenceBlocks::GiveBack(ReferenceHoldings* holder) {
  free_.insert(free_.end(), static_cast<size_t>(holder->anonymous), BlockName{});
  for (auto name = holder->named.rbegin(); name != holder->named.rend(); ++name) {
    if (--held_[*name] > 0) continue;
    held_.erase(*name);
    free_.push_back(*name);
  }
  *holder = {};
}

}  // namespace tokensim
