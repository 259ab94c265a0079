#include "engine/compute/operators.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "engine/base/math.h"

namespace tokensim {
namespace {

// Activations, logits and the residual stream are 16-bit whatever the weights are.
constexpr double kActivationBytes = 2;
// As a layer runs, embedding before and output after it.
constexpr std::string_view kExecutionOrder[] = {
    "embedding",
    "embedding_all_reduce",
    "input_norm",
    "qkv_proj",
    "prefill_attention",
    "decode_attention",
    "out_proj",
    "attention_all_reduce",
    "post_attention_norm",
    "router",
    "expert_gather",
    "expert_dispatch",
    "gate_up_proj",
    "up_proj",
    "expert_gate_up_proj",
    "expert_up_proj",
    "expert_activation",
    "activation",
    "down_proj",
    "expert_down_proj",
    "expert_combine",
    "expert_sum",
    "expert_reduce_scatter",
    "mlp_all_reduce",
    "stage_send",
    "final_norm",
    "lm_head",
    "logits_all_gather",
    "penalties",
    "logits_filter",
    "sampler",
};

}  // namespace

int32_t ExecutionRank(const char* name) {
  const auto* found = std::find(std::begin(kExecutionOrder), std::end(kExecutionOrder), name);
  return static_cast<int32_t>(found - std::begin(kExecutionOrder));
}

double ExpectedDistinctExperts(int32_t num_experts, int32_t experts_per_token, int64_t tokens) {
  const double experts = num_experts;
  return experts * (1 - math::PowerOf(1 - experts_per_token / experts, tokens));
}

TransformerOperators::TransformerOperators(const TransformerConfig& model,
                                           const ParallelismConfig& parallelism,
                                           const SamplingConfig& sampling)
    : model_(model),
      parallelism_(parallelism),
      sampling_(sampling),
      shard_(ShardOf(model, parallelism)),
      layers_(model.num_layers) {
  const double head = model.head_dim;
  // QK^T and PV: two multiply-adds per element of a head.
  pair_flops_ = 4 * head * shard_.attention_heads;
  kv_bytes_ = 2 * head * shard_.kv_heads * model.kv_bytes_per_element;
  row_bytes_ = 2 * head * shard_.attention_heads * kActivationBytes + kv_bytes_;
}

std::vector<Operator> TransformerOperators::List(const IterationShape& shape) const {
  std::vector<Operator> out;
  if (shape.tokens() > 0) {
    AppendDense(shape.tokens(), out);
    AppendExperts(shape.gathered_tokens > 0 ? shape.gathered_tokens : shape.tokens(), out);
  }
  AppendOutput(shape.sampled_count, out);
  if (shape.decode_count > 0) {
    out.push_back(DecodeAttention(shape.decode_count, shape.decode_context));
  }
  if (!shape.prefill.empty()) out.push_back(PrefillAttention(shape.prefill));
  return out;
}

int32_t TransformerOperators::Repeats(OperatorPlace place) const {
  if (place == OperatorPlace::kLayer) return layers_;
  return place == OperatorPlace::kBetweenStages ? parallelism_.pipeline - 1 : 1;
}

Operator TransformerOperators::Gemm(const char* name, OperatorPlace place, double rows, double k,
                                    double n, double matrices) const {
  return {.name = name,
          .kind = OperatorKind::kGemm,
          .place = place,
          .repeats = Repeats(place),
          .flops = 2 * rows * k * n,
          .bytes = matrices * k * n * model_.weight_bytes_per_parameter +
                   rows * (k + n) * kActivationBytes,
          .rows = rows,
          .inner = k,
          .outer = n,
          .matrices = matrices};
}

Operator TransformerOperators::Move(const char* name, OperatorKind kind, OperatorPlace place,
                                    double rows, double bytes) const {
  return {.name = name,
          .kind = kind,
          .place = place,
          .repeats = Repeats(place),
          .bytes = bytes,
          .rows = rows};
}

void TransformerOperators::AppendDense(int64_t rows, std::vector<Operator>& out) const {
  using Kind = OperatorKind;
  using Place = OperatorPlace;
  const double m = static_cast<double>(rows);
  const double hidden = model_.hidden_size;
  const double query = 1.0 * shard_.attention_heads * model_.head_dim;
  const double key_value = 2.0 * shard_.kv_heads * model_.head_dim;
  const double stream = m * hidden * kActivationBytes;  // the rows of the residual stream

  // Only the rows looked up are read; each device owns a part of the vocabulary.
  const double looked_up = m * hidden * model_.weight_bytes_per_parameter / parallelism_.tensor;
  out.push_back(Move("embedding", Kind::kMemory, Place::kBeforeLayers, m, looked_up + stream));
  // Adds the layer's output to the residual stream and normalises it: two tensors in, two out.
  out.push_back(Move("input_norm", Kind::kMemory, Place::kLayer, m, 4 * stream));
  out.push_back(Gemm("qkv_proj", Place::kLayer, m, hidden, query + key_value));
  out.push_back(Gemm("out_proj", Place::kLayer, m, query, hidden));
  out.push_back(Move("post_attention_norm", Kind::kMemory, Place::kLayer, m, 4 * stream));
  if (model_.num_experts == 0) AppendMlp(m, out);
  out.push_back(Move("final_norm", Kind::kMemory, Place::kAfterLayers, m, 4 * stream));
  AppendCollectives(m, out);
}

void TransformerOperators::AppendCollectives(double rows, std::vector<Operator>& out) const {
  using Kind = OperatorKind;
  using Place = OperatorPlace;
  const double stream = rows * model_.hidden_size * kActivationBytes;
  const int32_t devices = parallelism_.tensor;
  if (devices > 1) {
    out.push_back(
        Move("embedding_all_reduce", Kind::kAllReduce, Place::kBeforeLayers, rows, stream));
    out.push_back(Move("attention_all_reduce", Kind::kAllReduce, Place::kLayer, rows, stream));
    if (model_.num_experts == 0) {
      out.push_back(Move("mlp_all_reduce", Kind::kAllReduce, Place::kLayer, rows, stream));
    }
  }
  if (parallelism_.pipeline > 1) {
    out.push_back(Move("stage_send", Kind::kSend, Place::kBetweenStages, rows, stream));
  }
}

void TransformerOperators::AppendMlp(double rows, std::vector<Operator>& out) const {
  const double width = shard_.intermediate_size;
  const double up = model_.gated_mlp ? 2 * width : width;
  out.push_back(Gemm(model_.gated_mlp ? "gate_up_proj" : "up_proj", OperatorPlace::kLayer, rows,
                     model_.hidden_size, up));
  out.push_back(Move("activation", OperatorKind::kMemory, OperatorPlace::kLayer, rows,
                     rows * (up + width) * kActivationBytes));
  out.push_back(Gemm("down_proj", OperatorPlace::kLayer, rows, width, model_.hidden_size));
}

// The grouped GEMMs read the weights of the experts that some token picked, and compute
// experts_per_token rows for each token. With expert parallelism each device has its share of the
// rows and of the picked experts, all equal.
void TransformerOperators::AppendExperts(int64_t rows, std::vector<Operator>& out) const {
  if (model_.num_experts == 0) return;
  using Kind = OperatorKind;
  constexpr OperatorPlace kLayer = OperatorPlace::kLayer;
  const double m = static_cast<double>(rows);
  const double hidden = model_.hidden_size;
  const double width = shard_.intermediate_size;
  const double up = model_.gated_mlp ? 2 * width : width;
  const double routed = m * model_.experts_per_token / parallelism_.expert;
  const double experts =
      ExpectedDistinctExperts(model_.num_experts, model_.experts_per_token, rows) /
      parallelism_.expert;
  out.push_back(Gemm("router", kLayer, m, hidden, model_.num_experts));
  out.push_back(Gemm(model_.gated_mlp ? "expert_gate_up_proj" : "expert_up_proj", kLayer, routed,
                     hidden, up, experts));
  out.push_back(Move("expert_activation", Kind::kMemory, kLayer, routed,
                     routed * (up + width) * kActivationBytes));
  out.push_back(Gemm("expert_down_proj", kLayer, routed, width, hidden, experts));
  // Weighs and adds the experts' outputs of each token.
  out.push_back(Move("expert_sum", Kind::kMemory, kLayer, m,
                     (routed + m / parallelism_.expert) * hidden * kActivationBytes));
  const double stream = m * hidden * kActivationBytes;
  if (parallelism_.data > 1) {
    // vLLM's default for data-parallel attention: all ranks gather all rows, compute the part of
    // their experts, and a reduce-scatter, which moves what a gather does, adds the parts.
    out.push_back(Move("expert_gather", Kind::kAllGather, kLayer, m, stream));
    out.push_back(Move("expert_reduce_scatter", Kind::kAllGather, kLayer, m, stream));
  } else if (parallelism_.expert > 1) {
    // Each device sends its share of the rows to their experts, and gets the results back.
    const double sent = stream * model_.experts_per_token / parallelism_.expert;
    out.push_back(Move("expert_dispatch", Kind::kAllToAll, kLayer, m, sent));
    out.push_back(Move("expert_combine", Kind::kAllToAll, kLayer, m, sent));
  } else if (parallelism_.tensor > 1) {
    out.push_back(Move("mlp_all_reduce", Kind::kAllReduce, kLayer, m, stream));
  }
}

void TransformerOperators::AppendOutput(int64_t rows, std::vector<Operator>& out) const {
  if (rows == 0) return;
  constexpr OperatorPlace kAfter = OperatorPlace::kAfterLayers;
  const double m = static_cast<double>(rows);
  const double logits = m * model_.vocab_size;
  out.push_back(Gemm("lm_head", kAfter, m, model_.hidden_size, shard_.vocab_size));
  if (parallelism_.tensor > 1) {
    out.push_back(
        Move("logits_all_gather", OperatorKind::kAllGather, kAfter, m, logits * kActivationBytes));
  }
  for (const SamplerWork& work : SamplerWorkOf(sampling_, rows)) {
    out.push_back(
        Move(work.name, OperatorKind::kMemory, kAfter, m, logits * work.bytes_per_logit));
    out.back().kernels = work.kernels;
  }
}

}  // namespace tokensim
