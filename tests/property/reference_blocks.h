// KV blocks of one worker of the reference simulator, one by one.
//
// Every free block stands in a list, with the name of its content if it still has any; a held block
// with a name counts its holders. What engine/memory/prefix_cache.h documents, without its runs,
// reference counts in nodes, and hashes: a name is where the text comes from.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

namespace tokensim {

struct BlockName {
  enum class Source : uint8_t { kNobody, kTrace, kPrefixGroup, kConversation };
  Source source = Source::kNobody;
  int64_t id = 0;
  int64_t block = 0;

  auto operator<=>(const BlockName&) const = default;
  [[nodiscard]] bool nobody() const { return source == Source::kNobody; }
};

struct ReferenceHoldings {
  int64_t anonymous = 0;
  std::vector<BlockName> named;  // in order of the prompt

  [[nodiscard]] int64_t blocks() const { return anonymous + static_cast<int64_t>(named.size()); }
};

class ReferenceBlocks {
 public:
  explicit ReferenceBlocks(int64_t total)
      : total_(total), free_(static_cast<std::size_t>(total), BlockName{}) {}

  [[nodiscard]] int64_t free() const { return static_cast<int64_t>(free_.size()); }
  [[nodiscard]] int64_t used() const { return total_ - free(); }
  [[nodiscard]] int64_t named_free() const;

  [[nodiscard]] bool Held(const BlockName& name) const { return held_.contains(name); }
  [[nodiscard]] bool Findable(const BlockName& name) const;

  // Blocks from the front of the list; what they held is gone.
  void Take(int64_t blocks, ReferenceHoldings* holder);
  void Hit(const BlockName& name, ReferenceHoldings* holder);
  // One of the holder's anonymous blocks gets a name, unless another block has it.
  void Name(const BlockName& name, ReferenceHoldings* holder);
  // So many anonymous blocks, to the end of the list.
  void GiveBack(int64_t blocks, ReferenceHoldings* holder);
  // To the end of the list: anonymous blocks, then the named ones, the last of the prompt first.
  void GiveBack(ReferenceHoldings* holder);

 private:
  int64_t total_;
  std::deque<BlockName> free_;
  std::map<BlockName, int> held_;
};

}  // namespace tokensim
