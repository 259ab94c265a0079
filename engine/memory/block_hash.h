// What names the text up to the end of a KV block: two blocks with the same hash hold the same
// tokens after the same tokens, so that one may stand for the other.
//
//   PromptText text{.conversation = 42};
//   BlockHash(text, 3, 16);   // of tokens 48 .. 63 of that conversation
//
// vLLM hashes the tokens of a block with the hash of the block before (kv_cache_utils.py,
// hash_block_tokens). A simulation has no tokens; it knows where they come from, which names the
// whole chain at once.
#pragma once

#include <cstdint>
#include <span>

namespace tokensim {

// Where the tokens of a prompt come from. What is in none of these is the request's own.
struct PromptText {
  // The first prefix_tokens are those of group prefix_group.
  uint64_t prefix_group = 0;
  int32_t prefix_tokens = 0;
  // Text of one conversation only grows from turn to turn, prompts and outputs. -1: none.
  int64_t conversation = -1;
  // One for each hash_block_tokens from the start; equal ids mean equal text up to there.
  std::span<const int64_t> hash_ids = {};
  int32_t hash_block_tokens = 0;
};

namespace block_hash_internal {

// Never 0. The finalizer of splitmix64 (Steele, Lea, Flood, OOPSLA 2014), twice, over a source and
// a place in it.
inline uint64_t Mix(uint64_t source, uint64_t id, int64_t block) {
  const auto finalize = [](uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  };
  const uint64_t chain = finalize(id + source * 0x9e3779b97f4a7c15ULL);
  const uint64_t hash = finalize(chain + static_cast<uint64_t>(block) * 0xd1342543de82ef95ULL);
  return hash == 0 ? 1 : hash;
}

}  // namespace block_hash_internal

// Of block `block` (0, 1...) of `block_size` tokens; 0: nobody else can have it. Trace ids name
// what they cover; then comes the prefix group, then the conversation. A block with the end of a
// group's text and the beginning of something else is the conversation's or nobody's.
[[nodiscard]] inline uint64_t BlockHash(const PromptText& text, int64_t block, int32_t block_size) {
  using block_hash_internal::Mix;
  const int64_t last = (block + 1) * block_size - 1;  // token
  if (text.hash_block_tokens > 0) {
    const auto index = static_cast<size_t>(last / text.hash_block_tokens);
    if (index < text.hash_ids.size()) {
      return Mix(1, static_cast<uint64_t>(text.hash_ids[index]), block);
    }
  }
  if (last < text.prefix_tokens) return Mix(2, text.prefix_group, block);
  if (text.conversation >= 0) return Mix(3, static_cast<uint64_t>(text.conversation), block);
  return 0;
}

// The same block of a further group of layers (0, 1...): it has blocks of its own.
[[nodiscard]] inline uint64_t GroupHash(uint64_t hash, int32_t group) {
  return group == 0 ? hash : block_hash_internal::Mix(4, hash, static_cast<int64_t>(group));
}

}  // namespace tokensim
