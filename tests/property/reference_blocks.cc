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

void ReferenceBlocks::Hit(const BlockName& name, std::vector<BlockName>* names) {
  if (!Held(name)) free_.erase(std::find(free_.begin(), free_.end(), name));
  ++held_[name];
  names->push_back(name);
}

void ReferenceBlocks::Name(const BlockName& name, ReferenceHoldings* holder,
                           std::vector<BlockName>* names) {
  if (name.nobody() || Findable(name)) return;
  held_[name] = 1;
  --holder->anonymous;
  names->push_back(name);
}

void ReferenceBlocks::GiveBackNameless(int64_t blocks) {
  const auto place = nameless_first_ ? free_.begin() : free_.end();
  free_.insert(place, static_cast<size_t>(blocks), BlockName{});
}

void ReferenceBlocks::GiveBackNames(const std::vector<BlockName>& names) {
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    if (--held_[*name] > 0) continue;
    held_.erase(*name);
    free_.push_back(*name);
  }
}

void ReferenceBlocks::GiveBack(int64_t blocks, ReferenceHoldings* holder) {
  ASSERT_LE(blocks, holder->anonymous);
  holder->anonymous -= blocks;
  GiveBackNameless(blocks);
}

void ReferenceBlocks::GiveBack(ReferenceHoldings* holder) {
  GiveBackNameless(holder->anonymous);
  GiveBackNames(holder->windowed);
  GiveBackNames(holder->named);
  *holder = {};
}

}  // namespace tokensim
