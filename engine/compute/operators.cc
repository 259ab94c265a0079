#include "engine/compute/operators.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "engine/base/math.h"

namespace tokensim {
namespace {

// As a layer runs, embedding before and output after it.
constexpr std::string_view kExecutionOrder[] = {
    "embedding",
    "embedding_all_reduce",
    "input_norm",
    "qkv_proj",
    "latent_down_proj",
    "query_up_proj",
    "query_proj",
    "kv_up_proj",
    "index_query_proj",
    "index_key_proj",
    "linear_in_proj",
    "decay_down_proj",
    "decay_up_proj",
    "linear_conv",
    "prefill_index",
    "decode_index",
    "prefill_attention",
    "decode_attention",
    "gate_proj",
    "out_down_proj",
    "out_proj",
    "attention_all_reduce",
    "post_attention_norm",
    "shared_gate_up_proj",
    "shared_up_proj",
    "shared_activation",
    "shared_down_proj",
    "shared_all_reduce",
    "to_latent_proj",
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
    "from_latent_proj",
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

TransformerOperators::TransformerOperators(const Model& model, const ParallelismConfig& parallelism,
                                           const SamplingConfig& sampling)
    : model_(model),
      parallelism_(parallelism),
      sampling_(sampling),
      shard_(ShardOf(model.groups.front(), parallelism)),
      layers_(model.layers()),
      plain_(model.plain_attention()),
      vocab_(VocabShard(model, parallelism)) {
  for (const LayerGroup& group : model.groups) Sort(group);
  if (!plain_) return;
  const double head = model.groups.front().attention.head_dim;
  // QK^T and PV: two multiply-adds per element of a head.
  pair_flops_ = 4 * head * shard_.heads;
  kv_bytes_ = 2 * head * shard_.kv_heads * model.kv_bytes_per_element;
  row_bytes_ = 2 * head * shard_.heads * kActivationBytes + kv_bytes_;
}

// Adds the layers of a group to those that have the same parts.
void TransformerOperators::Sort(const LayerGroup& group) {
  const auto add = [&](auto& list, const auto& is_alike, auto entry) {
    const auto found = std::find_if(list.begin(), list.end(), is_alike);
    if (found == list.end()) {
      list.push_back(std::move(entry));
    } else {
      found->layers += entry.layers;
    }
  };
  const LayerShard shard = ShardOf(group, parallelism_);
  if (group.attention.kind != AttentionKind::kNone) {
    Attention everywhere = group.attention;  // projections know no window
    everywhere.window = 0;
    everywhere.chunked = false;
    add(
        projections_, [&](const Projections& p) { return p.attention == everywhere; },
        Projections{group.count, everywhere, MatricesOf(group, shard)});
    add(
        attentions_, [&](const AttentionLayers& a) { return a.attention == group.attention; },
        AttentionLayers{group.count, group.attention,
                        AttentionOperators(group, shard, model_.kv_bytes_per_element)});
  }
  if (!group.mlp.none()) {
    add(
        mlps_, [&](const MlpLayers& m) { return m.mlp == group.mlp; },
        MlpLayers{group.count, group.mlp, shard});
  }
}

std::vector<Operator> TransformerOperators::List(const IterationShape& shape) const {
  std::vector<Operator> out;
  if (shape.tokens() > 0) {
    AppendDense(shape.tokens(), out);
    AppendExperts(shape.gathered_tokens > 0 ? shape.gathered_tokens : shape.tokens(), out);
  }
  AppendOutput(shape.sampled_count, out);
  const auto add = [&](const Operator& op) { out.push_back(op); };
  if (shape.decode_count > 0) VisitDecodeAttention(shape, add);
  if (!shape.prefill.empty()) VisitPrefillAttention(shape.prefill, add);
  return out;
}

std::vector<AttentionWindow> TransformerOperators::Windows() const {
  std::vector<AttentionWindow> windows;
  for (const AttentionLayers& layers : attentions_) {
    for (const AttentionWindow& window : WindowsOf(layers.attention)) {
      if (std::find(windows.begin(), windows.end(), window) == windows.end()) {
        windows.push_back(window);
      }
    }
  }
  return windows;
}

Operator TransformerOperators::Gemm(const char* name, OperatorPlace place, int32_t repeats,
                                    const WeightFormat& format, double rows, double k, double n,
                                    double matrices) const {
  return {.name = name,
          .kind = OperatorKind::kGemm,
          .place = place,
          .repeats = repeats,
          .flops = 2 * rows * k * n,
          .bytes = matrices * k * n * format.bytes + rows * (k + n) * kActivationBytes,
          .rows = rows,
          .inner = k,
          .outer = n,
          .matrices = matrices,
          .format = format};
}

Operator TransformerOperators::Move(const char* name, OperatorKind kind, OperatorPlace place,
                                    int32_t repeats, double rows, double bytes) const {
  return {
      .name = name, .kind = kind, .place = place, .repeats = repeats, .bytes = bytes, .rows = rows};
}

void TransformerOperators::AppendDense(int64_t rows, std::vector<Operator>& out) const {
  using Kind = OperatorKind;
  using Place = OperatorPlace;
  const double m = static_cast<double>(rows);
  const double hidden = model_.hidden_size;
  const double stream = m * hidden * kActivationBytes;  // the rows of the residual stream

  // Only the rows looked up are read; each device owns a part of the vocabulary.
  const double looked_up = m * hidden * model_.formats.embedding.bytes / parallelism_.tensor;
  out.push_back(Move("embedding", Kind::kMemory, Place::kBeforeLayers, 1, m, looked_up + stream));
  for (const Projections& p : projections_) AppendProjections(p, m, out);
  for (const MlpLayers& layers : mlps_) {
    out.push_back(
        Move("post_attention_norm", Kind::kMemory, Place::kLayer, layers.layers, m, 4 * stream));
    if (layers.mlp.experts == 0) {
      AppendMlp(layers, m, out);
    } else {
      AppendBesideExperts(layers, m, out);
    }
  }
  out.push_back(Move("final_norm", Kind::kMemory, Place::kAfterLayers, 1, m, 4 * stream));
  AppendCollectives(m, out);
}

void TransformerOperators::AppendProjections(const Projections& p, double rows,
                                             std::vector<Operator>& out) const {
  constexpr OperatorPlace kLayer = OperatorPlace::kLayer;
  const double hidden = model_.hidden_size;
  const WeightFormat& format = model_.formats.attention;
  const AttentionMatrices& m = p.matrices;
  // Adds the layer's output to the residual stream and normalises it: two tensors in, two out.
  out.push_back(Move("input_norm", OperatorKind::kMemory, kLayer, p.layers, rows,
                     4 * (rows * hidden * kActivationBytes)));
  switch (p.attention.kind) {
    case AttentionKind::kNone:
      return;
    case AttentionKind::kHeads:
      out.push_back(Gemm("qkv_proj", kLayer, p.layers, format, rows, hidden, m.query_key_value));
      break;
    case AttentionKind::kLatent:
      AppendLatentProjections(p, rows, out);
      break;
    case AttentionKind::kLinear:
      AppendLinearProjections(p, rows, out);
      break;
  }
  if (m.index_key > 0) AppendIndexProjections(p, rows, out);
  if (m.out_latent == 0) {
    out.push_back(Gemm("out_proj", kLayer, p.layers, format, rows, m.out_rows, hidden));
    return;
  }
  // Each latent vector comes from the heads of its group alone.
  const double groups = m.out_latent / p.attention.output_rank;
  out.push_back(Gemm("out_down_proj", kLayer, p.layers, format, rows * groups, m.out_rows / groups,
                     p.attention.output_rank, groups));
  out.push_back(Gemm("out_proj", kLayer, p.layers, format, rows, m.out_latent, hidden));
}

void TransformerOperators::AppendLatentProjections(const Projections& p, double rows,
                                                   std::vector<Operator>& out) const {
  constexpr OperatorPlace kLayer = OperatorPlace::kLayer;
  const double hidden = model_.hidden_size;
  const WeightFormat& format = model_.formats.attention;
  const AttentionMatrices& m = p.matrices;
  out.push_back(Gemm("latent_down_proj", kLayer, p.layers, format, rows, hidden, m.down));
  if (m.query_up > 0) {
    out.push_back(
        Gemm("query_up_proj", kLayer, p.layers, format, rows, p.attention.query_rank, m.query_up));
  }
  if (m.query_direct > 0) {
    out.push_back(Gemm("query_proj", kLayer, p.layers, format, rows, hidden, m.query_direct));
  }
  // Of a prompt, keys and values out of latent vectors; absorbed, the same matrices multiply
  // queries and outputs.
  if (m.kv_up > 0) {
    out.push_back(Gemm("kv_up_proj", kLayer, p.layers, format, rows, p.attention.kv_rank, m.kv_up));
  }
  if (m.gate > 0) {
    out.push_back(Gemm("gate_proj", kLayer, p.layers, format, rows, hidden, m.gate));
  }
}

void TransformerOperators::AppendIndexProjections(const Projections& p, double rows,
                                                  std::vector<Operator>& out) const {
  const double hidden = model_.hidden_size;
  const double query = p.attention.query_rank > 0 ? p.attention.query_rank : hidden;
  const WeightFormat& format = model_.formats.attention;
  out.push_back(Gemm("index_query_proj", OperatorPlace::kLayer, p.layers, format, rows, query,
                     p.matrices.index_query));
  out.push_back(Gemm("index_key_proj", OperatorPlace::kLayer, p.layers, format, rows, hidden,
                     p.matrices.index_key));
}

void TransformerOperators::AppendLinearProjections(const Projections& p, double rows,
                                                   std::vector<Operator>& out) const {
  constexpr OperatorPlace kLayer = OperatorPlace::kLayer;
  const double hidden = model_.hidden_size;
  const WeightFormat& format = model_.formats.attention;
  const AttentionMatrices& m = p.matrices;
  out.push_back(Gemm("linear_in_proj", kLayer, p.layers, format, rows, hidden, m.linear_in));
  if (m.decay_rank > 0) {
    out.push_back(Gemm("decay_down_proj", kLayer, p.layers, format, rows, hidden, m.decay_rank));
    out.push_back(Gemm("decay_up_proj", kLayer, p.layers, format, rows, m.decay_rank, m.decay_up));
  }
  out.push_back(Move("linear_conv", OperatorKind::kMemory, kLayer, p.layers, rows,
                     rows * 2 * m.convolution * kActivationBytes));
}

void TransformerOperators::AppendCollectives(double rows, std::vector<Operator>& out) const {
  using Kind = OperatorKind;
  using Place = OperatorPlace;
  const double stream = rows * model_.hidden_size * kActivationBytes;
  const int32_t devices = parallelism_.tensor;
  if (devices > 1) {
    out.push_back(
        Move("embedding_all_reduce", Kind::kAllReduce, Place::kBeforeLayers, 1, rows, stream));
    int32_t attention = 0;
    int32_t dense = 0;
    int32_t shared = 0;  // whose sum does not join that of the experts
    for (const Projections& p : projections_) attention += p.layers;
    for (const MlpLayers& m : mlps_) {
      if (m.mlp.experts == 0) dense += m.layers;
      if (m.mlp.shared_width > 0 && parallelism_.expert > 1) shared += m.layers;
    }
    const auto reduce = [&](const char* name, int32_t layers) {
      if (layers == 0) return;
      out.push_back(Move(name, Kind::kAllReduce, Place::kLayer, layers, rows, stream));
    };
    reduce("attention_all_reduce", attention);
    reduce("mlp_all_reduce", dense);
    reduce("shared_all_reduce", shared);
  }
  if (parallelism_.pipeline > 1) {
    out.push_back(Move("stage_send", Kind::kSend, Place::kBetweenStages, parallelism_.pipeline - 1,
                       rows, stream));
  }
}

void TransformerOperators::AppendMlp(const MlpLayers& layers, double rows,
                                     std::vector<Operator>& out) const {
  constexpr OperatorPlace kLayer = OperatorPlace::kLayer;
  const WeightFormat& format = model_.formats.mlp;
  const bool gated = layers.mlp.gated;
  const double width = layers.shard.width;
  const double up = gated ? 2 * width : width;
  out.push_back(Gemm(gated ? "gate_up_proj" : "up_proj", kLayer, layers.layers, format, rows,
                     model_.hidden_size, up));
  out.push_back(Move("activation", OperatorKind::kMemory, kLayer, layers.layers, rows,
                     rows * (up + width) * kActivationBytes));
  out.push_back(Gemm("down_proj", kLayer, layers.layers, format, rows, width, model_.hidden_size));
}

// What each rank computes of its own rows in layers with experts.
void TransformerOperators::AppendBesideExperts(const MlpLayers& layers, double rows,
                                               std::vector<Operator>& out) const {
  constexpr OperatorPlace kLayer = OperatorPlace::kLayer;
  const double hidden = model_.hidden_size;
  if (layers.mlp.shared_width > 0) {
    const WeightFormat& format = model_.formats.shared;
    const bool gated = layers.mlp.gated;
    const double width = layers.shard.shared_width;
    const double up = gated ? 2 * width : width;
    out.push_back(Gemm(gated ? "shared_gate_up_proj" : "shared_up_proj", kLayer, layers.layers,
                       format, rows, hidden, up));
    out.push_back(Move("shared_activation", OperatorKind::kMemory, kLayer, layers.layers, rows,
                       rows * (up + width) * kActivationBytes));
    out.push_back(Gemm("shared_down_proj", kLayer, layers.layers, format, rows, width, hidden));
  }
  if (layers.mlp.latent > 0) {
    const WeightFormat& format = model_.formats.router;
    const double latent = layers.mlp.latent;
    out.push_back(Gemm("to_latent_proj", kLayer, layers.layers, format, rows, hidden, latent));
    out.push_back(Gemm("from_latent_proj", kLayer, layers.layers, format, rows, latent, hidden));
  }
}

void TransformerOperators::AppendExperts(int64_t rows, std::vector<Operator>& out) const {
  for (const MlpLayers& layers : mlps_) {
    if (layers.mlp.experts > 0) AppendRoutedExperts(layers, rows, out);
  }
}

// The grouped GEMMs read the weights of the experts that some token picked, and compute
// experts_per_token rows for each token. With expert parallelism each device has its share of the
// rows and of the picked experts, all equal.
void TransformerOperators::AppendRoutedExperts(const MlpLayers& layers, int64_t rows,
                                               std::vector<Operator>& out) const {
  using Kind = OperatorKind;
  constexpr OperatorPlace kLayer = OperatorPlace::kLayer;
  const Mlp& mlp = layers.mlp;
  const WeightFormat& format = model_.formats.experts;
  const double m = static_cast<double>(rows);
  const double hidden = mlp.latent > 0 ? mlp.latent : model_.hidden_size;  // of the experts
  const double width = layers.shard.width;
  const double up = mlp.gated ? 2 * width : width;
  const double routed = m * mlp.experts_per_token / parallelism_.expert;
  const double experts =
      ExpectedDistinctExperts(mlp.experts, mlp.experts_per_token, rows) / parallelism_.expert;
  const auto add = [&](const Operator& op) { out.push_back(op); };
  const auto move = [&](const char* name, Kind kind, double op_rows, double bytes) {
    add(Move(name, kind, kLayer, layers.layers, op_rows, bytes));
  };
  add(Gemm("router", kLayer, layers.layers, model_.formats.router, m, model_.hidden_size,
           mlp.experts));
  add(Gemm(mlp.gated ? "expert_gate_up_proj" : "expert_up_proj", kLayer, layers.layers, format,
           routed, hidden, up, experts));
  move("expert_activation", Kind::kMemory, routed, routed * (up + width) * kActivationBytes);
  add(Gemm("expert_down_proj", kLayer, layers.layers, format, routed, width, hidden, experts));
  // Weighs and adds the experts' outputs of each token.
  move("expert_sum", Kind::kMemory, m,
       (routed + m / parallelism_.expert) * hidden * kActivationBytes);
  const double stream = m * hidden * kActivationBytes;
  if (parallelism_.data > 1) {
    // vLLM's default for data-parallel attention: all ranks gather all rows, compute the part of
    // their experts, and a reduce-scatter, which moves what a gather does, adds the parts.
    move("expert_gather", Kind::kAllGather, m, stream);
    move("expert_reduce_scatter", Kind::kAllGather, m, stream);
  } else if (parallelism_.expert > 1) {
    // Each device sends its share of the rows to their experts, and gets the results back.
    const double sent = stream * mlp.experts_per_token / parallelism_.expert;
    move("expert_dispatch", Kind::kAllToAll, m, sent);
    move("expert_combine", Kind::kAllToAll, m, sent);
  } else if (parallelism_.tensor > 1) {
    move("mlp_all_reduce", Kind::kAllReduce, m, stream);
  }
}

void TransformerOperators::AppendOutput(int64_t rows, std::vector<Operator>& out) const {
  if (rows == 0) return;
  constexpr OperatorPlace kAfter = OperatorPlace::kAfterLayers;
  const double m = static_cast<double>(rows);
  const double logits = m * model_.vocab_size;
  out.push_back(Gemm("lm_head", kAfter, 1, model_.formats.head, m, model_.hidden_size, vocab_));
  if (parallelism_.tensor > 1) {
    out.push_back(Move("logits_all_gather", OperatorKind::kAllGather, kAfter, 1, m,
                       logits * kActivationBytes));
  }
  for (const SamplerWork& work : SamplerWorkOf(sampling_, rows)) {
    out.push_back(
        Move(work.name, OperatorKind::kMemory, kAfter, 1, m, logits * work.bytes_per_logit));
    out.back().kernels = work.kernels;
  }
}

}  // namespace tokensim
