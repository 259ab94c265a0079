// What attention of one layer computes, reads and writes, for every kind of attention.
//
//   const AttentionOperators attention(group, shard, kv_bytes_per_element);
//   const AttentionWork work = attention.Decode(/*count=*/8, /*context=*/4000);
//
// Heads: two multiply-adds per element of a head and pair of query and key. Latent attention: a
// decode is "absorbed", its queries multiply the latent vectors themselves and all heads read the
// same ones; a prompt projects the vectors of its whole context up to the keys and values of every
// head first, those of its history again for each chunk, as vLLM does. An index scores every token
// before, then the query attends to the best `top_k`. Linear attention reads and writes its state
// once for a decode and once for a chunk, and computes a recurrence in between.
//
// Windows: a prompt is exact, and decodes are with IterationShape.windows. docs/compute.md.
//
// Immutable, thread-safe. Doubles count exactly up to 2^53.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/compute/compute_model.h"
#include "engine/model/model.h"

namespace tokensim {

// Two kernels: what picks the tokens, and what attends to them.
struct AttentionWork {
  double flops = 0;
  double bytes = 0;
  double index_flops = 0;  // with 8-bit keys
  double index_bytes = 0;  // 0: no index
};

// The pairs of a query and a token that it attends to, and the tokens that are read, of one chunk
// with causal attention. Window as of Attention; 0: none.
struct AttendedTokens {
  double pairs = 0;
  double tokens = 0;
};
[[nodiscard]] AttendedTokens AttendedBy(const PrefillChunk& chunk, int32_t window, bool chunked);

// The windows of layers that attend so: their own, and what an index picks.
[[nodiscard]] std::vector<AttentionWindow> WindowsOf(const Attention& attention);

class AttentionOperators {
 public:
  AttentionOperators(const LayerGroup& group, const LayerShard& shard, double kv_bytes_per_element);

  // Each of `count` sequences attends to its context, `context` tokens in all, the new ones
  // included, and through windows as IterationShape says. O(1).
  [[nodiscard]] AttentionWork Decode(int64_t count, int64_t context,
                                     std::span<const WindowContext> windows = {}) const;
  // O(chunks).
  [[nodiscard]] AttentionWork Prefill(std::span<const PrefillChunk> chunks) const;

 private:
  struct Costs {
    double pair_flops = 0;      // of one query and token, over the heads of this device
    double token_flops = 0;     // of one token read: what is projected up
    double token_bytes = 0;     // of one token read
    double row_bytes = 0;       // query in, output out, new entry of the cache
    double sequence_flops = 0;  // of a row of a linear layer
  };

  [[nodiscard]] double Reached(double count, double context,
                               std::span<const WindowContext> windows) const;
  void SetHeads(double element);
  void SetLatent(double element);
  void SetLinear();

  LayerGroup group_;
  LayerShard shard_;
  Costs decode_;
  Costs prefill_;
  double index_pair_flops_ = 0;
  double index_token_bytes_ = 0;
  double state_bytes_ = 0;  // read and written
};

}  // namespace tokensim
