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
  int64_t group = 0;  // of layers, each with blocks of its own

  auto operator<=>(const BlockName&) const = default;
  [[nodiscard]] bool nobody() const { return source == Source::kNobody; }
};

struct ReferenceHoldings {
  int64_t anonymous = 0;
  std::vector<BlockName> named;     // in order of the prompt
  std::vector<BlockName> windowed;  // the same, of layers with windows

  [[nodiscard]] int64_t blocks() const {
    return anonymous + static_cast<int64_t>(named.size() + windowed.size());
  }
};

class ReferenceBlocks {
 public:
  // `nameless_first`: blocks without a name are given back to the front of the list.
  ReferenceBlocks(int64_t total, bool nameless_first)
      : total_(total),
        nameless_first_(nameless_first),
        free_(static_cast<std::size_t>(total), BlockName{}) {}

  [[nodiscard]] int64_t free() const { return static_cast<int64_t>(free_.size()); }
  [[nodiscard]] int64_t used() const { return total_ - free(); }
  [[nodiscard]] int64_t named_free() const;

  [[nodiscard]] bool Held(const BlockName& name) const { return held_.contains(name); }
  [[nodiscard]] bool Findable(const BlockName& name) const;

  // Blocks from the front of the list; what they held is gone.
  void Take(int64_t blocks, ReferenceHoldings* holder);
  // `names`: the holder's list that it belongs to.
  void Hit(const BlockName& name, std::vector<BlockName>* names);
  // One of the holder's anonymous blocks gets a name, unless another block has it.
  void Name(const BlockName& name, ReferenceHoldings* holder, std::vector<BlockName>* names);
  // So many anonymous blocks, to the end of the list.
  void GiveBack(int64_t blocks, ReferenceHoldings* holder);
  // To the end of the list: anonymous blocks, then the named ones, those of windows first, and of
  // each the last of the prompt first.
  void GiveBack(ReferenceHoldings* holder);
  // The named ones of them, the last first.
  void GiveBackNames(const std::vector<BlockName>& names);

 private:
  void GiveBackNameless(int64_t blocks);

  int64_t total_;
  bool nameless_first_;
  std::deque<BlockName> free_;
  std::map<BlockName, int> held_;
};

}  // namespace tokensim
