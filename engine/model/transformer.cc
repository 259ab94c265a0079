#include "engine/model/transformer.h"

namespace tokensim {

namespace {

NumberFormat NumberOf(double bytes) {
  if (bytes == 1) return NumberFormat::kFp8;
  if (bytes < 1) return NumberFormat::kInt4;
  return bytes > 2 ? NumberFormat::k32Bit : NumberFormat::k16Bit;
}

}  // namespace

WeightFormat PlainFormat(double bytes_per_parameter) {
  return {bytes_per_parameter, NumberOf(bytes_per_parameter)};
}

WeightFormats UniformFormats(const WeightFormat& format) {
  return {.attention = format,
          .mlp = format,
          .shared = format,
          .experts = format,
          .router = format,
          .embedding = format,
          .head = format,
          .vectors = format};
}

TransformerConfig::operator Model() const {
  return {.name = name,
          .hidden_size = hidden_size,
          .vocab_size = vocab_size,
          .tie_word_embeddings = tie_word_embeddings,
          .groups = {{.count = num_layers,
                      .attention = {.kind = AttentionKind::kHeads,
                                    .heads = num_attention_heads,
                                    .kv_heads = num_kv_heads,
                                    .head_dim = head_dim,
                                    .value_dim = head_dim},
                      .mlp = {.width = intermediate_size,
                              .gated = gated_mlp,
                              .experts = num_experts,
                              .experts_per_token = experts_per_token}}},
          .formats = UniformFormats(
              {.bytes = weight_bytes_per_parameter,
               .number = weight_format.value_or(NumberOf(weight_bytes_per_parameter))}),
          .kv_bytes_per_element = kv_bytes_per_element};
}

}  // namespace tokensim
