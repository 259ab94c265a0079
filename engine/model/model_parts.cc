#include "engine/model/model_parts.h"

namespace tokensim {
namespace {

void AddHeads(const Attention& a, const LayerShard& shard, AttentionMatrices* m) {
  const double output = 1.0 * shard.heads * a.value_dim;
  const double values = a.values_are_keys ? 0 : 1.0 * shard.kv_heads * a.value_dim;
  m->query_key_value = 1.0 * shard.heads * a.head_dim + 1.0 * shard.kv_heads * a.head_dim + values +
                       (a.output_gate ? output : 0);
  m->out_rows = output;
}

void AddLatent(const Attention& a, const LayerShard& shard, AttentionMatrices* m) {
  const double query =
      1.0 * shard.heads * (a.direct ? a.kv_rank + a.rope_dim : a.head_dim + a.rope_dim);
  const double output = 1.0 * shard.heads * a.value_dim;
  m->down = 1.0 * a.query_rank + a.kv_rank + a.rope_dim;
  (a.query_rank > 0 ? m->query_up : m->query_direct) = query;
  if (!a.direct) m->kv_up = 1.0 * shard.heads * (a.head_dim + a.value_dim);
  if (a.output_gate) m->gate = output;
  m->out_rows = output;
  if (a.output_rank > 0) {
    // Heads of a group share a latent vector, so that devices share the groups.
    m->out_latent = 1.0 * a.output_rank * a.output_groups * shard.heads / a.heads;
  }
}

void AddLinear(const LinearState& l, const LayerShard& shard, AttentionMatrices* m) {
  const double keys = 1.0 * shard.linear_key_heads * l.key_dim;
  const double values = 1.0 * shard.linear_heads * l.value_dim;
  // Keys, queries, values and their gate, and what each head decays or is updated by.
  const double rates = l.kind == LinearKind::kGatedDelta ? 2 : 1;
  m->linear_in = 2 * keys + 2 * values + rates * shard.linear_heads;
  m->convolution = 2 * keys + values;
  m->out_rows = values;
  if (l.kind == LinearKind::kKda) {
    m->decay_rank = l.key_dim;
    m->decay_up = keys;
  }
}

}  // namespace

AttentionMatrices MatricesOf(const LayerGroup& group, const LayerShard& shard) {
  const Attention& a = group.attention;
  AttentionMatrices m;
  switch (a.kind) {
    case AttentionKind::kNone:
      return m;
    case AttentionKind::kHeads:
      AddHeads(a, shard, &m);
      break;
    case AttentionKind::kLatent:
      AddLatent(a, shard, &m);
      break;
    case AttentionKind::kLinear:
      AddLinear(a.linear, shard, &m);
      break;
  }
  if (a.index.top_k > 0 && !a.index.shares_selection) {
    m.index_query = 1.0 * a.index.heads * a.index.head_dim;
    m.index_key = 1.0 * a.index.head_dim + a.index.heads;
  }
  return m;
}

LayerParameters ParametersOf(const LayerGroup& group, int32_t hidden_size,
                             const ParallelismConfig& parallelism) {
  const LayerShard shard = ShardOf(group, parallelism);
  const Attention& a = group.attention;
  const Mlp& mlp = group.mlp;
  const AttentionMatrices m = MatricesOf(group, shard);
  const double hidden = hidden_size;
  LayerParameters p;
  p.attention = hidden * (m.query_key_value + m.down + m.query_direct + m.gate + m.index_key +
                          m.linear_in + m.decay_rank) +
                a.query_rank * m.query_up + a.kv_rank * m.kv_up +
                (a.query_rank > 0 ? a.query_rank : hidden) * m.index_query +
                m.decay_rank * m.decay_up + m.convolution * a.linear.conv_width;
  if (m.out_latent > 0) {
    p.attention += m.out_rows * a.output_rank + m.out_latent * hidden;
  } else {
    p.attention += m.out_rows * hidden;
  }
  const double matrices = mlp.gated ? 3 : 2;
  p.shared = matrices * hidden * shard.shared_width;
  if (mlp.experts > 0) {
    const double rows = mlp.latent > 0 ? mlp.latent : hidden;
    p.expert = matrices * rows * shard.width;
    p.router = hidden * mlp.experts + 2 * hidden * mlp.latent;
  } else {
    p.mlp = matrices * hidden * shard.width;
  }
  const double norms = (a.kind == AttentionKind::kNone ? 0 : 1) + (mlp.none() ? 0 : 1);
  p.vectors = norms * hidden + static_cast<double>(group.extra_parameters);
  return p;
}

}  // namespace tokensim
