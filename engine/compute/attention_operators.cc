#include "engine/compute/attention_operators.h"

#include <algorithm>

#include "engine/model/model_parts.h"

namespace tokensim {
namespace {

// 1 + 2 + ... + n.
double Triangle(double n) { return n * (n + 1) / 2; }

// Of the first `tokens` tokens of a sequence cut into chunks of `window`: the pairs within chunks.
double ChunkedPairs(int64_t tokens, int64_t window) {
  const auto chunks = static_cast<double>(tokens / window);
  return chunks * Triangle(static_cast<double>(window)) +
         Triangle(static_cast<double>(tokens % window));
}

// Floating point operations of one element of the state for one token: decay, sum of outer
// products, product with the query (Mamba-2, Dao and Gu, arXiv 2405.21060), and with the delta rule
// the product with the key before (Yang et al., arXiv 2412.06464). A multiply-add is two.
double StateFlops(LinearKind kind) { return kind == LinearKind::kMamba2 ? 5 : 7; }

// The tokens behind the entries that an index picks are as a window of them.
AttentionWindow PickedBy(const Attention& a) { return {a.index.top_k * a.compression, false}; }

// The sum over `count` sequences of the tokens seen through a window, of `context` in all.
double Through(const AttentionWindow& window, double count, double context,
               std::span<const WindowContext> windows) {
  for (const WindowContext& known : windows) {
    if (known.window == window) return static_cast<double>(known.context);
  }
  return std::min(context, count * window.tokens);
}

}  // namespace

std::vector<AttentionWindow> WindowsOf(const Attention& a) {
  std::vector<AttentionWindow> windows;
  if (a.window > 0) windows.push_back({a.window, a.chunked});
  if (a.index.top_k > 0) windows.push_back(PickedBy(a));
  return windows;
}

AttendedTokens AttendedBy(const PrefillChunk& chunk, int32_t window, bool chunked) {
  const double n = chunk.new_tokens;
  const double h = chunk.history;
  if (window == 0) return {.pairs = n * h + n * (n + 1) / 2, .tokens = h + n};
  if (chunked) {
    const int64_t history = chunk.history;
    return {
        .pairs = ChunkedPairs(history + chunk.new_tokens, window) - ChunkedPairs(history, window),
        .tokens = static_cast<double>(history % window) + n};
  }
  // The first `whole` tokens see all before them, the others a full window.
  const double whole = std::clamp(window - h, 0.0, n);
  return {.pairs = whole * h + Triangle(whole) + (n - whole) * window,
          .tokens = std::min(h + n, n + window - 1)};
}

AttentionOperators::AttentionOperators(const LayerGroup& group, const LayerShard& shard,
                                       double kv_bytes_per_element)
    : group_(group), shard_(shard) {
  switch (group.attention.kind) {
    case AttentionKind::kNone:
      return;
    case AttentionKind::kHeads:
      SetHeads(kv_bytes_per_element);
      break;
    case AttentionKind::kLatent:
      SetLatent(kv_bytes_per_element);
      break;
    case AttentionKind::kLinear:
      SetLinear();
      break;
  }
  const SparseIndex& index = group.attention.index;
  if (index.top_k > 0 && !index.shares_selection) {
    index_pair_flops_ = 2.0 * index.heads * index.head_dim;
    index_token_bytes_ = index.key_bytes;
  }
}

void AttentionOperators::SetHeads(double element) {
  const Attention& a = group_.attention;
  decode_.pair_flops = 2.0 * shard_.heads * (1.0 * a.head_dim + a.value_dim);
  decode_.token_bytes = element * shard_.kv_heads * (1.0 * a.head_dim + a.value_dim);
  decode_.row_bytes =
      (1.0 * a.head_dim + a.value_dim) * shard_.heads * kActivationBytes + decode_.token_bytes;
  prefill_ = decode_;
}

void AttentionOperators::SetLatent(double element) {
  const Attention& a = group_.attention;
  const double entry = 1.0 * a.kv_rank + a.rope_dim;
  const double values = a.direct ? a.value_dim : a.kv_rank;
  decode_.pair_flops = 2.0 * shard_.heads * (entry + values);
  decode_.token_bytes = element * entry;
  decode_.row_bytes = shard_.heads * (entry + values) * kActivationBytes + decode_.token_bytes;
  prefill_ = decode_;
  // Sparse prompts and latent queries attend to the latent vectors as decodes do.
  if (a.direct || a.index.top_k > 0) return;
  const double keys = 1.0 * a.head_dim + a.rope_dim;
  const double up = shard_.heads * (1.0 * a.head_dim + a.value_dim);
  prefill_.pair_flops = 2.0 * shard_.heads * (keys + a.value_dim);
  // Keys and values of every head are written and read; the products of new tokens are those of
  // kv_up_proj (operators.cc).
  prefill_.token_flops = 2.0 * a.kv_rank * up;
  prefill_.token_bytes = element * entry + 2 * up * kActivationBytes;
  prefill_.row_bytes = shard_.heads * (keys + a.value_dim) * kActivationBytes + decode_.token_bytes;
}

void AttentionOperators::SetLinear() {
  const LinearState& l = group_.attention.linear;
  const double elements = 1.0 * shard_.linear_heads * l.key_dim * l.value_dim;
  const double keys = 1.0 * shard_.linear_key_heads * l.key_dim;
  const double values = 1.0 * shard_.linear_heads * l.value_dim;
  const double inputs = std::max(0, l.conv_width - 1) * (2 * keys + values);
  decode_.sequence_flops = StateFlops(l.kind) * elements;
  decode_.row_bytes = 2 * (keys + values) * kActivationBytes;
  state_bytes_ = 2 * (elements * l.bytes_per_element + inputs * kActivationBytes);
  prefill_ = decode_;
}

// Tokens that `count` sequences attend to, of `context` in all.
double AttentionOperators::Reached(double count, double context,
                                   std::span<const WindowContext> windows) const {
  const Attention& a = group_.attention;
  const double near =
      a.window > 0 ? Through({a.window, a.chunked}, count, context, windows) : context;
  if (a.index.top_k == 0) return a.compression == 1 ? near : near + context / a.compression;
  const double picked = Through(PickedBy(a), count, context, windows);
  return a.compression == 1 ? std::min(near, picked) : near + picked / a.compression;
}

AttentionWork AttentionOperators::Decode(int64_t count, int64_t context,
                                         std::span<const WindowContext> windows) const {
  const auto rows = static_cast<double>(count);
  const auto all = static_cast<double>(context);
  const Attention& a = group_.attention;
  if (a.kind == AttentionKind::kLinear) {
    return {.flops = rows * decode_.sequence_flops,
            .bytes = rows * (state_bytes_ + decode_.row_bytes)};
  }
  const double tokens = Reached(rows, all, windows);
  const double scored = all / a.compression;
  return {.flops = decode_.pair_flops * tokens,
          .bytes = decode_.token_bytes * tokens + decode_.row_bytes * rows,
          .index_flops = index_pair_flops_ * scored,
          .index_bytes = index_token_bytes_ * scored};
}

AttentionWork AttentionOperators::Prefill(std::span<const PrefillChunk> chunks) const {
  const Attention& a = group_.attention;
  AttentionWork work;
  for (const PrefillChunk& chunk : chunks) {
    const double n = chunk.new_tokens;
    work.bytes += prefill_.row_bytes * n;
    if (a.kind == AttentionKind::kLinear) {
      work.flops += n * prefill_.sequence_flops;
      work.bytes += state_bytes_;
      continue;
    }
    const AttendedTokens all = AttendedBy(chunk, 0, false);
    AttendedTokens attended = AttendedBy(chunk, a.window, a.chunked);
    const double scored = all.pairs / a.compression;
    if (a.compression > 1) {
      const double pairs =
          a.index.top_k > 0
              ? AttendedBy(chunk, a.index.top_k * a.compression, false).pairs / a.compression
              : scored;
      attended.pairs += pairs;
      attended.tokens += all.tokens / a.compression;
    } else if (a.index.top_k > 0) {
      attended.pairs = AttendedBy(chunk, a.index.top_k, false).pairs;
    }
    work.flops += prefill_.pair_flops * attended.pairs;
    work.flops += prefill_.token_flops * std::max(0.0, attended.tokens - n);
    work.bytes += prefill_.token_bytes * attended.tokens;
    work.index_flops += index_pair_flops_ * scored;
    work.index_bytes += index_token_bytes_ * all.tokens / a.compression;
  }
  return work;
}

}  // namespace tokensim
