#include "engine/compute/operators.h"

namespace tokensim {
namespace {

// Activations, logits and the residual stream are 16-bit whatever the weights are.
constexpr double kActivationBytes = 2;
// The sampler reads the 16-bit logits, writes them as 32-bit and reads those.
constexpr double kSamplerBytesPerLogit = 2 + 4 + 4;

Operator MemoryOperator(const char* name, int32_t repeats, double bytes) {
  return {.name = name, .kind = OperatorKind::kMemory, .repeats = repeats, .bytes = bytes};
}

Operator AllReduce(const char* name, int32_t repeats, double bytes) {
  return {.name = name, .kind = OperatorKind::kAllReduce, .repeats = repeats, .bytes = bytes};
}

// base^exponent by squaring: the same bits on every platform, unlike std::pow.
double Power(double base, int64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1) result *= base;
    base *= base;
  }
  return result;
}

}  // namespace

double ExpectedDistinctExperts(int32_t num_experts, int32_t experts_per_token, int64_t tokens) {
  const double experts = num_experts;
  return experts * (1 - Power(1 - experts_per_token / experts, tokens));
}

TransformerOperators::TransformerOperators(const TransformerConfig& model, int32_t tensor_parallel)
    : model_(model),
      shard_(ShardOf(model, tensor_parallel)),
      devices_(tensor_parallel),
      layers_(model.num_layers) {
  const double head = model.head_dim;
  // QK^T and PV: two multiply-adds per element of a head.
  pair_flops_ = 4 * head * shard_.attention_heads;
  kv_bytes_ = 2 * head * shard_.kv_heads * model.kv_bytes_per_element;
  row_bytes_ = 2 * head * shard_.attention_heads * kActivationBytes + kv_bytes_;
}

std::vector<Operator> TransformerOperators::List(const IterationShape& shape) const {
  std::vector<Operator> out;
  if (shape.tokens() > 0) AppendDense(shape.tokens(), out);
  AppendOutput(shape.sampled_count, out);
  if (shape.decode_count > 0) {
    out.push_back(DecodeAttention(shape.decode_count, shape.decode_context));
  }
  if (!shape.prefill.empty()) out.push_back(PrefillAttention(shape.prefill));
  return out;
}

Operator TransformerOperators::Gemm(const char* name, int32_t repeats, double rows, double k,
                                    double n, double matrices) const {
  return {.name = name,
          .kind = OperatorKind::kGemm,
          .repeats = repeats,
          .flops = 2 * rows * k * n,
          .bytes = matrices * k * n * model_.weight_bytes_per_parameter +
                   rows * (k + n) * kActivationBytes};
}

void TransformerOperators::AppendDense(int64_t rows, std::vector<Operator>& out) const {
  const double m = static_cast<double>(rows);
  const double hidden = model_.hidden_size;
  const double query = 1.0 * shard_.attention_heads * model_.head_dim;
  const double key_value = 2.0 * shard_.kv_heads * model_.head_dim;
  const double stream = m * hidden * kActivationBytes;  // the rows of the residual stream

  // Only the rows looked up are read; each device owns a part of the vocabulary.
  out.push_back(MemoryOperator("embedding", 1,
                               m * hidden * model_.weight_bytes_per_parameter / devices_ + stream));
  // Adds the layer's output to the residual stream and normalises it: two tensors in, two out.
  out.push_back(MemoryOperator("input_norm", layers_, 4 * stream));
  out.push_back(Gemm("qkv_proj", layers_, m, hidden, query + key_value));
  out.push_back(Gemm("out_proj", layers_, m, query, hidden));
  out.push_back(MemoryOperator("post_attention_norm", layers_, 4 * stream));
  if (model_.num_experts > 0) {
    AppendExperts(m, rows, out);
  } else {
    AppendMlp(m, out);
  }
  out.push_back(MemoryOperator("final_norm", 1, 4 * stream));
  if (devices_ > 1) {
    out.push_back(AllReduce("embedding_all_reduce", 1, stream));
    out.push_back(AllReduce("attention_all_reduce", layers_, stream));
    out.push_back(AllReduce("mlp_all_reduce", layers_, stream));
  }
}

void TransformerOperators::AppendMlp(double rows, std::vector<Operator>& out) const {
  const double width = shard_.intermediate_size;
  const double up = model_.gated_mlp ? 2 * width : width;
  out.push_back(
      Gemm(model_.gated_mlp ? "gate_up_proj" : "up_proj", layers_, rows, model_.hidden_size, up));
  out.push_back(MemoryOperator("activation", layers_, rows * (up + width) * kActivationBytes));
  out.push_back(Gemm("down_proj", layers_, rows, width, model_.hidden_size));
}

// The grouped GEMMs read the weights of the experts that some token picked, and compute
// experts_per_token rows for each token.
void TransformerOperators::AppendExperts(double rows, int64_t tokens,
                                         std::vector<Operator>& out) const {
  const double hidden = model_.hidden_size;
  const double width = shard_.intermediate_size;
  const double up = model_.gated_mlp ? 2 * width : width;
  const double routed = rows * model_.experts_per_token;
  const double experts =
      ExpectedDistinctExperts(model_.num_experts, model_.experts_per_token, tokens);
  out.push_back(Gemm("router", layers_, rows, hidden, model_.num_experts));
  out.push_back(Gemm(model_.gated_mlp ? "expert_gate_up_proj" : "expert_up_proj", layers_, routed,
                     hidden, up, experts));
  out.push_back(MemoryOperator("activation", layers_, routed * (up + width) * kActivationBytes));
  out.push_back(Gemm("expert_down_proj", layers_, routed, width, hidden, experts));
  // Weighs and adds the experts' outputs of each token.
  out.push_back(MemoryOperator("expert_sum", layers_, (routed + rows) * hidden * kActivationBytes));
}

void TransformerOperators::AppendOutput(int64_t rows, std::vector<Operator>& out) const {
  if (rows == 0) return;
  const double m = static_cast<double>(rows);
  const double logits = m * model_.vocab_size;
  out.push_back(Gemm("lm_head", 1, m, model_.hidden_size, shard_.vocab_size));
  if (devices_ > 1) {
    out.push_back({.name = "logits_all_gather",
                   .kind = OperatorKind::kAllGather,
                   .bytes = logits * kActivationBytes});
  }
  out.push_back(MemoryOperator("sampler", 1, logits * kSamplerBytesPerLogit));
}

}  // namespace tokensim
