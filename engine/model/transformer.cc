#include "engine/model/transformer.h"

#include <cmath>
#include <limits>

namespace tokensim {
namespace {

int32_t CeilDiv(int32_t a, int32_t b) { return a / b + (a % b != 0 ? 1 : 0); }

// Parameters the fullest device holds. Doubles are exact for every real model (below 2^53) and
// cannot overflow on absurd ones.
double DeviceParameters(const TransformerConfig& model, const ParallelismConfig& parallelism) {
  const TransformerShard shard = ShardOf(model, parallelism);
  const double hidden = model.hidden_size;
  const double query = 1.0 * shard.attention_heads * model.head_dim;
  const double key_value = 2.0 * shard.kv_heads * model.head_dim;
  const double attention = hidden * (query + key_value) + query * hidden;

  const double matrices = model.gated_mlp ? 3 : 2;
  const double mlp = matrices * hidden * shard.intermediate_size;
  const double feed_forward =
      model.num_experts > 0 ? shard.num_experts * mlp + hidden * model.num_experts : mlp;

  const double norms = 2 * hidden;
  const double embedding = hidden * shard.vocab_size;
  // With stages the last one is the fullest: it has one of the two, and the final norm.
  const bool one = model.tie_word_embeddings || parallelism.pipeline > 1;
  const double embeddings = one ? embedding : 2 * embedding;
  const int32_t layers = model.num_layers / parallelism.pipeline;
  return layers * (attention + feed_forward + norms) + embeddings + hidden;
}

int64_t Saturate(double value) {
  constexpr double kLimit = 9.2e18;
  return value < kLimit ? static_cast<int64_t>(value) : std::numeric_limits<int64_t>::max();
}

}  // namespace

NumberFormat WeightFormatOf(const TransformerConfig& model) {
  if (model.weight_format) return *model.weight_format;
  if (model.weight_bytes_per_parameter == 1) return NumberFormat::kFp8;
  if (model.weight_bytes_per_parameter < 1) return NumberFormat::kInt4;
  return model.weight_bytes_per_parameter > 2 ? NumberFormat::k32Bit : NumberFormat::k16Bit;
}

TransformerShard ShardOf(const TransformerConfig& model, const ParallelismConfig& parallelism) {
  const int32_t tensor = parallelism.tensor;
  const int32_t expert = parallelism.expert;
  return {.attention_heads = CeilDiv(model.num_attention_heads, tensor),
          .kv_heads = CeilDiv(model.num_kv_heads, tensor),
          .intermediate_size = CeilDiv(model.intermediate_size, expert > 1 ? 1 : tensor),
          .num_experts = CeilDiv(model.num_experts, expert),
          .vocab_size = CeilDiv(model.vocab_size, tensor)};
}

int64_t ParameterCount(const TransformerConfig& model) {
  return Saturate(DeviceParameters(model, {}));
}

int64_t WeightBytesPerDevice(const TransformerConfig& model, const ParallelismConfig& parallelism) {
  const double parameters = DeviceParameters(model, parallelism);
  return Saturate(std::ceil(parameters * model.weight_bytes_per_parameter));
}

int64_t KvBytesPerTokenPerDevice(const TransformerConfig& model,
                                 const ParallelismConfig& parallelism) {
  const int32_t layers = model.num_layers / parallelism.pipeline;
  const double elements = 2.0 * layers * ShardOf(model, parallelism).kv_heads * model.head_dim;
  return Saturate(std::ceil(elements * model.kv_bytes_per_element));
}

}  // namespace tokensim
