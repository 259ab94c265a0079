// A decoder-only transformer and its sizes.
//
//   const int64_t bytes = WeightBytesPerDevice(model, {.tensor = 4});
//
// Counted: the matrices of attention, MLP (or router and experts), embedding and LM head, and the
// norm vectors (two a layer and the final one). Left out: biases, learned positions and the norms
// of queries and keys, together below 0.1 % of any model with them. Sizes saturate at the largest
// int64_t; nothing here fails.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/base/number_format.h"

namespace tokensim {

struct TransformerConfig {
  std::string name;
  int32_t num_layers = 0;
  int32_t hidden_size = 0;
  int32_t num_attention_heads = 0;
  int32_t num_kv_heads = 0;  // divides num_attention_heads
  int32_t head_dim = 0;
  int32_t intermediate_size = 0;  // of the dense MLP, or of one expert
  bool gated_mlp = true;          // gate, up, down; else up, down
  int32_t vocab_size = 0;
  bool tie_word_embeddings = false;
  int32_t num_experts = 0;  // 0: dense MLP
  int32_t experts_per_token = 0;
  double weight_bytes_per_parameter = 2;
  std::optional<NumberFormat> weight_format;  // none: fp8, int4... by the bytes
  double kv_bytes_per_element = 2;
};

[[nodiscard]] NumberFormat WeightFormatOf(const TransformerConfig& model);

// How one model is split over the tensor x pipeline devices of a worker.
struct ParallelismConfig {
  int32_t tensor = 1;         // devices that share every layer
  int32_t pipeline = 1;       // stages of equal numbers of layers; divides num_layers
  int32_t expert = 1;         // 1: a slice of every expert on each device. tensor x data: whole
                              // experts spread over the devices; divides num_experts
  int32_t data = 1;           // replicas that share their experts and run in lock-step
  int32_t micro_batches = 1;  // that an iteration is cut into; ignored without stages
};

// What one of the `tensor` devices of a stage holds of each split dimension, rounded up.
struct TransformerShard {
  int32_t attention_heads = 0;
  int32_t kv_heads = 0;           // at least 1: replicated when there are fewer heads than devices
  int32_t intermediate_size = 0;  // of the MLP, or of each expert it holds
  int32_t num_experts = 0;        // 0: dense MLP
  int32_t vocab_size = 0;
};
[[nodiscard]] TransformerShard ShardOf(const TransformerConfig& model,
                                       const ParallelismConfig& parallelism);

// Parameters of the whole model, embeddings and LM head included.
[[nodiscard]] int64_t ParameterCount(const TransformerConfig& model);
// Weights held by the fullest device. Within a stage attention and MLP matrices, embedding and LM
// head are sharded, norms and router are replicated; KV heads are replicated when there are fewer
// than devices. The first stage has the embedding, the last the final norm and the LM head, which
// is a copy of the embedding there when the two are tied.
[[nodiscard]] int64_t WeightBytesPerDevice(const TransformerConfig& model,
                                           const ParallelismConfig& parallelism);
// KV cache of one token on one device: 2 (K and V) x layers of the stage x KV heads held x head_dim
// x bytes.
[[nodiscard]] int64_t KvBytesPerTokenPerDevice(const TransformerConfig& model,
                                               const ParallelismConfig& parallelism);

}  // namespace tokensim
