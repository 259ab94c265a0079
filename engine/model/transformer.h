// A decoder-only transformer and its sizes.
//
// All figures are of the whole model; engine/compute splits them over devices.
#pragma once

#include <cstdint>
#include <string>

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
  int32_t num_experts = 0;        // 0: dense MLP
  int32_t experts_per_token = 0;
  double weight_bytes_per_parameter = 2;
  double kv_bytes_per_element = 2;
};

// Parameters of the whole model, embeddings and LM head included.
[[nodiscard]] int64_t ParameterCount(const TransformerConfig& model);
// Weights held by one device when the model is split over `tensor_parallel` devices: attention and
// MLP matrices, embedding and LM head are sharded, norms and router are replicated; KV heads are
// replicated when there are fewer than devices.
[[nodiscard]] int64_t WeightBytesPerDevice(const TransformerConfig& model, int32_t tensor_parallel);
// KV cache of one token on one device: 2 (K and V) x layers x KV heads held x head_dim x bytes.
[[nodiscard]] int64_t KvBytesPerTokenPerDevice(const TransformerConfig& model,
                                               int32_t tensor_parallel);

}  // namespace tokensim
