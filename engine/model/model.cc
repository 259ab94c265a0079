#include "engine/model/model.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/model/model_parts.h"

namespace tokensim {
namespace {

int32_t CeilDiv(int32_t a, int32_t b) { return a / b + (a % b != 0 ? 1 : 0); }

int64_t Saturate(double value) {
  constexpr double kLimit = 9.2e18;
  return value < kLimit ? static_cast<int64_t>(value) : std::numeric_limits<int64_t>::max();
}

// Of one layer, with `experts` routed experts.
double LayerBytes(const LayerParameters& layer, double experts, const WeightFormats& formats) {
  return layer.attention * formats.attention.bytes + layer.mlp * formats.mlp.bytes +
         layer.shared * formats.shared.bytes + experts * layer.expert * formats.experts.bytes +
         layer.router * formats.router.bytes + layer.vectors * formats.vectors.bytes;
}

// In parameters when every format has one byte.
double ModelBytes(const Model& model, const ParallelismConfig& parallelism,
                  const WeightFormats& formats, bool active) {
  double layers = 0;
  for (const LayerGroup& group : model.groups) {
    const LayerParameters layer = ParametersOf(group, model.hidden_size, parallelism);
    const double experts =
        active ? group.mlp.experts_per_token : ShardOf(group, parallelism).experts;
    // Stages of a group that does not divide have the mean.
    const double count = group.count % parallelism.pipeline == 0
                             ? group.count / parallelism.pipeline
                             : 1.0 * group.count / parallelism.pipeline;
    layers += count * LayerBytes(layer, experts, formats);
  }
  const double hidden = model.hidden_size;
  const double embedding = hidden * VocabShard(model, parallelism);
  // With stages the last one is the fullest: it has one of the two, and the final norm.
  const bool one = model.tie_word_embeddings || parallelism.pipeline > 1;
  const double ends =
      one ? embedding * (model.tie_word_embeddings ? formats.embedding.bytes : formats.head.bytes)
          : embedding * formats.embedding.bytes + embedding * formats.head.bytes;
  return layers + ends + hidden * formats.vectors.bytes;
}

constexpr WeightFormat kOne = {.bytes = 1};
constexpr WeightFormats kCounted = {.attention = kOne,
                                    .mlp = kOne,
                                    .shared = kOne,
                                    .experts = kOne,
                                    .router = kOne,
                                    .embedding = kOne,
                                    .head = kOne,
                                    .vectors = kOne};

// Of one layer, on one device. An entry of the cache is 2 (K and V) vectors of every KV head held,
// or one latent vector on every device.
double TokenBytes(const LayerGroup& group, double element, const ParallelismConfig& parallelism) {
  const Attention& a = group.attention;
  double bytes = 0;
  if (a.kind == AttentionKind::kHeads) {
    bytes = element * ShardOf(group, parallelism).kv_heads * (1.0 * a.head_dim + a.value_dim);
  } else if (a.kind == AttentionKind::kLatent) {
    bytes = element * (1.0 * a.kv_rank + a.rope_dim);
  }
  return bytes + (a.index.shares_selection ? 0 : a.index.key_bytes);
}

double StateBytes(const LayerGroup& group, const ParallelismConfig& parallelism) {
  const LinearState& l = group.attention.linear;
  if (group.attention.kind != AttentionKind::kLinear) return 0;
  const LayerShard shard = ShardOf(group, parallelism);
  const double matrices = 1.0 * shard.linear_heads * l.key_dim * l.value_dim;
  const double channels =
      2.0 * shard.linear_key_heads * l.key_dim + 1.0 * shard.linear_heads * l.value_dim;
  const double inputs = std::max(0, l.conv_width - 1);
  return matrices * l.bytes_per_element + channels * inputs * kActivationBytes;
}

void Add(const KvGroup& group, KvLayout* layout) {
  for (KvGroup& known : layout->groups) {
    if (known.window != group.window || known.chunked != group.chunked) continue;
    known.layers += group.layers;
    known.bytes_per_token += group.bytes_per_token;
    known.state_bytes += group.state_bytes;
    return;
  }
  layout->groups.push_back(group);
}

}  // namespace

int32_t Model::layers() const {
  int32_t sum = 0;
  for (const LayerGroup& group : groups) sum += group.count;
  return sum;
}

bool Model::has_experts() const { return experts() != nullptr; }

const LayerGroup* Model::experts() const {
  for (const LayerGroup& group : groups) {
    if (group.mlp.experts > 0) return &group;
  }
  return nullptr;
}

bool Model::plain_attention() const {
  const Attention& a = groups.front().attention;
  const Attention heads = {.kind = AttentionKind::kHeads,
                           .heads = a.heads,
                           .kv_heads = a.kv_heads,
                           .head_dim = a.head_dim,
                           .value_dim = a.head_dim};
  return std::all_of(groups.begin(), groups.end(),
                     [&](const LayerGroup& group) { return group.attention == heads; });
}

bool Model::one_format() const {
  const WeightFormat& f = formats.attention;
  return formats == WeightFormats{f, f, f, f, f, f, f, f};
}

LayerShard ShardOf(const LayerGroup& group, const ParallelismConfig& parallelism) {
  const int32_t tensor = parallelism.tensor;
  const int32_t expert = parallelism.expert;
  const bool whole = expert > 1 && group.mlp.experts > 0;
  return {.heads = CeilDiv(group.attention.heads, tensor),
          .kv_heads = CeilDiv(group.attention.kv_heads, tensor),
          .width = CeilDiv(group.mlp.width, whole ? 1 : tensor),
          .shared_width = CeilDiv(group.mlp.shared_width, tensor),
          .experts = CeilDiv(group.mlp.experts, expert),
          .linear_heads = CeilDiv(group.attention.linear.heads, tensor),
          .linear_key_heads = CeilDiv(group.attention.linear.key_heads, tensor)};
}

int32_t VocabShard(const Model& model, const ParallelismConfig& parallelism) {
  return CeilDiv(model.vocab_size, parallelism.tensor);
}

int64_t ParameterCount(const Model& model) {
  return Saturate(ModelBytes(model, {}, kCounted, /*active=*/false));
}

int64_t ActiveParameterCount(const Model& model) {
  return Saturate(ModelBytes(model, {}, kCounted, /*active=*/true));
}

int64_t MtpParameterCount(const Model& model) {
  if (model.mtp_layers == 0) return 0;
  const double hidden = model.hidden_size;
  LayerGroup layer_of = {.count = 1, .attention = {.kind = AttentionKind::kNone}};
  for (const LayerGroup& group : model.groups) {
    const AttentionKind kind = group.attention.kind;
    const bool caches = kind == AttentionKind::kHeads || kind == AttentionKind::kLatent;
    if (caches || layer_of.attention.kind == AttentionKind::kNone) {
      layer_of.attention = group.attention;
      layer_of.extra_parameters = group.extra_parameters;
    }
    if (group.mlp.experts > 0 || layer_of.mlp.none()) layer_of.mlp = group.mlp;
  }
  const double layer =
      LayerBytes(ParametersOf(layer_of, model.hidden_size, {}), layer_of.mlp.experts, kCounted);
  return Saturate(model.mtp_layers * (layer + 2 * hidden * hidden + 2 * hidden));
}

int64_t WeightBytesPerDevice(const Model& model, const ParallelismConfig& parallelism) {
  return Saturate(std::ceil(ModelBytes(model, parallelism, model.formats, /*active=*/false)));
}

KvLayout KvLayoutOf(const Model& model, const ParallelismConfig& parallelism) {
  KvLayout layout;
  for (const LayerGroup& group : model.groups) {
    const Attention& a = group.attention;
    const double layers = group.count % parallelism.pipeline == 0
                              ? group.count / parallelism.pipeline
                              : 1.0 * group.count / parallelism.pipeline;
    const double token = TokenBytes(group, model.kv_bytes_per_element, parallelism);
    if (a.kind == AttentionKind::kLinear) {
      Add({.layers = layers, .state_bytes = layers * StateBytes(group, parallelism)}, &layout);
    } else if (a.kind != AttentionKind::kNone) {
      Add({.layers = layers,
           .bytes_per_token = layers * token,
           .window = a.window,
           .chunked = a.chunked},
          &layout);
      if (a.compression > 1) {  // the entries stay when their tokens have left the window
        Add({.bytes_per_token = layers * token / a.compression}, &layout);
      }
    }
  }
  return layout;
}

int64_t KvLayout::bytes_per_token() const {
  double sum = 0;
  for (const KvGroup& group : groups) sum += group.bytes_per_token;
  return Saturate(std::ceil(sum));
}

int64_t KvLayout::state_bytes() const {
  double sum = 0;
  for (const KvGroup& group : groups) sum += group.state_bytes;
  return Saturate(std::ceil(sum));
}

int64_t KvLayout::SequenceBytes(int64_t tokens) const {
  double sum = 0;
  for (const KvGroup& group : groups) {
    int64_t kept = tokens;
    if (group.chunked && group.window > 0 && tokens > 0) {
      kept = (tokens - 1) % group.window + 1;
    } else if (group.window > 0) {
      kept = std::min<int64_t>(tokens, group.window);
    }
    sum += group.bytes_per_token * static_cast<double>(kept) + group.state_bytes;
  }
  return Saturate(std::ceil(sum));
}

int64_t KvBytesPerTokenPerDevice(const Model& model, const ParallelismConfig& parallelism) {
  return KvLayoutOf(model, parallelism).bytes_per_token();
}

}  // namespace tokensim
