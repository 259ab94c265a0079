// The short form of a model whose layers are all alike: full attention of heads and a dense MLP or
// routed experts. It is a Model (model.h) wherever one is asked for.
//
//   const int64_t bytes = WeightBytesPerDevice(TransformerConfig{...}, {.tensor = 4});
//
// Biases, learned positions and the norms of queries and keys are left out, together below 0.1 % of
// any model with them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/base/number_format.h"
#include "engine/model/model.h"

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

  operator Model() const;  // NOLINT(google-explicit-constructor): the same thing, said in short
};

// Of weights of so many bytes each, without scales: fp8 of one byte, int4 of less.
[[nodiscard]] WeightFormat PlainFormat(double bytes_per_parameter);

// All parts alike.
[[nodiscard]] WeightFormats UniformFormats(const WeightFormat& format);

}  // namespace tokensim
