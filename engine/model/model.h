// A decoder-only language model as groups of layers that are alike, and its sizes.
//
//   Model model = Llama();                                     // or a TransformerConfig
//   const int64_t bytes = WeightBytesPerDevice(model, {.tensor = 4});
//   const KvLayout kv = KvLayoutOf(model, {.tensor = 4});
//
// A group says how its layers attend and what their MLP is; in which order layers of different
// groups follow each other makes no difference to any size or time here. Either part may be absent,
// as in models whose blocks are attention or MLP alone.
//
// Counted: every matrix, the norm vector before each part and the final one, and what a group names
// in `extra_parameters`. Sizes are exact up to 2^53 and saturate at the largest int64_t; nothing
// here fails. Expects checked figures (engine/io/plan/features/model.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/number_format.h"
#include "engine/model/parallelism.h"

namespace tokensim {

// How weights are stored, the scales of quantised ones included.
struct WeightFormat {
  double bytes = 2;  // of one parameter
  NumberFormat number = NumberFormat::k16Bit;

  bool operator==(const WeightFormat&) const = default;
};

// A small network picks the tokens that a query attends to, as in DeepSeek V3.2.
struct SparseIndex {
  int32_t heads = 0;
  int32_t head_dim = 0;
  int32_t top_k = 0;              // tokens attended; 0: there is no index, all are
  double key_bytes = 0;           // of the index keys of one token in one layer
  bool shares_selection = false;  // of another layer: neither weights nor keys of its own

  bool operator==(const SparseIndex&) const = default;
};

enum class LinearKind : uint8_t { kMamba2, kGatedDelta, kKda };

// A recurrent state of fixed size in place of a KV cache: `heads` matrices of key_dim x value_dim.
struct LinearState {
  LinearKind kind = LinearKind::kMamba2;
  int32_t heads = 0;      // of values
  int32_t key_heads = 0;  // shared by the value heads; the groups of Mamba-2
  int32_t key_dim = 0;    // the state size of Mamba-2
  int32_t value_dim = 0;
  int32_t conv_width = 0;        // of the causal convolution before it
  double bytes_per_element = 4;  // of the state; the convolution keeps 16-bit inputs

  bool operator==(const LinearState&) const = default;
};

enum class AttentionKind : uint8_t {
  kNone,
  kHeads,   // multi-head, grouped-query or multi-query
  kLatent,  // multi-head latent attention (MLA, DeepSeek V2, arXiv 2405.04434)
  kLinear,  // linear attention or a state-space model
};

struct Attention {
  AttentionKind kind = AttentionKind::kHeads;

  // kHeads and kLatent.
  int32_t heads = 0;
  int32_t kv_heads = 0;          // kHeads; divides heads
  int32_t head_dim = 0;          // of queries and keys; kLatent: their part without position
  int32_t value_dim = 0;         // of values
  bool output_gate = false;      // a gate as wide as the output multiplies it
  bool values_are_keys = false;  // kHeads: no value weights; both are cached all the same
  int32_t window = 0;            // last tokens that a query attends to, itself included; 0: all
  bool chunked = false;          // a window that starts anew every `window` tokens
  SparseIndex index;             // picks among tokens, or compressed entries

  // kLatent: one vector of kv_rank + rope_dim is cached per token.
  int32_t query_rank = 0;  // queries come out of a latent vector of this size; 0: they do not
  int32_t kv_rank = 0;
  int32_t rope_dim = 0;
  bool direct = false;        // queries and values are latent vectors: nothing is projected up
  int32_t compression = 1;    // tokens in one cached entry. Above 1 those of the window, which must
                              // be given, are cached and attended to one by one as well
  int32_t output_rank = 0;    // the output goes through latent vectors of this size; 0: it does not
  int32_t output_groups = 0;  // so many of them

  LinearState linear;  // kLinear

  bool operator==(const Attention&) const = default;
};

struct Mlp {
  int32_t width = 0;    // of the dense MLP, or of one expert; 0: no MLP
  bool gated = true;    // gate, up, down; else up, down
  int32_t experts = 0;  // 0: dense
  int32_t experts_per_token = 0;
  int32_t shared_width = 0;  // of an MLP that every token passes beside the experts; 0: none
  int32_t latent = 0;        // the routed experts work on vectors of this size; 0: hidden_size

  [[nodiscard]] bool none() const { return width == 0; }
  bool operator==(const Mlp&) const = default;
};

struct LayerGroup {
  int32_t count = 0;  // layers
  Attention attention;
  Mlp mlp;
  int64_t extra_parameters = 0;  // of one layer: biases, sinks, further norms; on every device

  bool operator==(const LayerGroup&) const = default;
};

struct WeightFormats {
  WeightFormat attention;
  WeightFormat mlp;      // dense
  WeightFormat shared;   // experts that every token passes
  WeightFormat experts;  // routed ones
  WeightFormat router;
  WeightFormat embedding;
  WeightFormat head;
  WeightFormat vectors;  // norms and extra_parameters

  bool operator==(const WeightFormats&) const = default;
};

struct Model {
  std::string name;
  int32_t hidden_size = 0;
  int32_t vocab_size = 0;
  bool tie_word_embeddings = false;
  std::vector<LayerGroup> groups;  // at least one
  WeightFormats formats;
  double kv_bytes_per_element = 2;
  int32_t mtp_layers = 0;  // that predict further tokens; not among the groups

  [[nodiscard]] int32_t layers() const;
  [[nodiscard]] bool has_experts() const;
  // The first group with experts; null: there is none.
  [[nodiscard]] const LayerGroup* experts() const;
  // Whether every layer has the same full attention of heads.
  [[nodiscard]] bool plain_attention() const;
  // Whether all weights are stored alike.
  [[nodiscard]] bool one_format() const;
};

// What one of the `tensor` devices of a stage holds of a layer, rounded up.
struct LayerShard {
  int32_t heads = 0;
  int32_t kv_heads = 0;  // at least 1: replicated when there are fewer heads than devices
  int32_t width = 0;     // of the MLP, or of each expert it holds
  int32_t shared_width = 0;
  int32_t experts = 0;
  int32_t linear_heads = 0;
  int32_t linear_key_heads = 0;
};
[[nodiscard]] LayerShard ShardOf(const LayerGroup& group, const ParallelismConfig& parallelism);
[[nodiscard]] int32_t VocabShard(const Model& model, const ParallelismConfig& parallelism);

// Parameters of the whole model, embeddings and LM head included, MTP layers not.
[[nodiscard]] int64_t ParameterCount(const Model& model);
// Those that one token passes: of routed experts, the ones it is sent to.
[[nodiscard]] int64_t ActiveParameterCount(const Model& model);
// Of the MTP layers: each has the attention and the MLP of the last groups that have one (attention
// with a KV cache, and experts, where there are such), two norms and a projection of two hidden
// vectors to one (DeepSeek V3, arXiv 2412.19437, 2.2). Embedding and head are the model's.
[[nodiscard]] int64_t MtpParameterCount(const Model& model);

// Weights held by the fullest device; the layers of every group are spread evenly over stages.
// Within a stage attention and MLP matrices, embedding and LM head are sharded; norms, router,
// latent projections and index are replicated, as are KV heads when there are fewer than devices.
// The first stage has the embedding, the last the final norm and the LM head, which is a copy of
// the embedding there when the two are tied.
[[nodiscard]] int64_t WeightBytesPerDevice(const Model& model,
                                           const ParallelismConfig& parallelism);

// What the layers of one group keep of a sequence, on one device.
struct KvGroup {
  double layers = 0;           // of one stage
  double bytes_per_token = 0;  // of all these layers, while a token is in the window
  int32_t window = 0;          // tokens that are kept; 0: all
  bool chunked = false;        // the window starts anew every `window` tokens
  double state_bytes = 0;      // of a sequence, whatever its length

  bool operator==(const KvGroup&) const = default;
};

struct KvLayout {
  std::vector<KvGroup> groups;  // those that keep something, each window once

  // Of one more token that is in every window.
  [[nodiscard]] int64_t bytes_per_token() const;
  // Of a sequence, whatever its length.
  [[nodiscard]] int64_t state_bytes() const;
  // Of a sequence of `tokens`, when what left its window is given up.
  [[nodiscard]] int64_t SequenceBytes(int64_t tokens) const;
};
[[nodiscard]] KvLayout KvLayoutOf(const Model& model, const ParallelismConfig& parallelism);

// KvLayout.bytes_per_token: KV cache of one token on one device when nothing leaves a window.
[[nodiscard]] int64_t KvBytesPerTokenPerDevice(const Model& model,
                                               const ParallelismConfig& parallelism);

}  // namespace tokensim
