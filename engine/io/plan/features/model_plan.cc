#include "engine/io/plan/features/model_plan.h"

namespace tokensim {
namespace {

WeightFormat ToFormat(v1::DataType type) {
  return {.bytes = BytesPerElement(type), .number = FormatOf(type)};
}

WeightFormats ToFormats(const v1::Model& model) {
  const v1::WeightDtypes& parts = model.weight_dtypes();
  const v1::DataType whole = model.weight_dtype();
  const auto format = [&](bool given, v1::DataType type) { return ToFormat(given ? type : whole); };
  return {.attention = format(parts.has_attention(), parts.attention()),
          .mlp = format(parts.has_mlp(), parts.mlp()),
          .shared = format(parts.has_shared_experts(), parts.shared_experts()),
          .experts = format(parts.has_experts(), parts.experts()),
          .router = format(parts.has_router(), parts.router()),
          .embedding = format(parts.has_embedding(), parts.embedding()),
          .head = format(parts.has_head(), parts.head()),
          .vectors = format(parts.has_norms(), parts.norms())};
}

LinearKind ToLinearKind(const std::string& kind) {
  if (kind == "gated_delta") return LinearKind::kGatedDelta;
  return kind == "kda" ? LinearKind::kKda : LinearKind::kMamba2;
}

AttentionKind ToKind(const std::string& kind) {
  if (kind == "none") return AttentionKind::kNone;
  if (kind == "heads") return AttentionKind::kHeads;
  return kind == "latent" ? AttentionKind::kLatent : AttentionKind::kLinear;
}

LinearState ToState(const v1::Attention& a) {
  const v1::LinearState& state = a.state();
  return {.kind = ToLinearKind(a.kind()),
          .heads = state.num_heads(),
          .key_heads = state.num_key_heads(),
          .key_dim = state.key_dim(),
          .value_dim = state.value_dim(),
          .conv_width = state.conv_kernel(),
          .bytes_per_element = BytesPerElement(state.dtype())};
}

Attention ToAttention(const v1::Attention& a) {
  Attention attention = {.kind = ToKind(a.kind())};
  if (attention.kind == AttentionKind::kNone) return attention;
  if (attention.kind == AttentionKind::kLinear) {
    attention.linear = ToState(a);
    return attention;
  }
  attention.heads = a.num_attention_heads();
  attention.kv_heads = a.num_kv_heads();
  attention.head_dim = a.head_dim();
  attention.value_dim = a.value_head_dim();
  attention.output_gate = a.output_gate();
  attention.values_are_keys = a.values_are_keys();
  attention.window = a.has_chunk() ? a.chunk() : a.sliding_window();
  attention.chunked = a.has_chunk();
  attention.query_rank = a.query_rank();
  attention.kv_rank = a.kv_rank();
  attention.rope_dim = a.rope_dim();
  attention.direct = a.direct();
  if (a.has_compression()) attention.compression = a.compression();
  attention.output_rank = a.output_rank();
  attention.output_groups = a.output_groups();
  if (a.has_index()) {
    attention.index = {.heads = a.index().num_heads(),
                       .head_dim = a.index().head_dim(),
                       .top_k = a.index().top_k(),
                       .key_bytes = a.index().key_bytes(),
                       .shares_selection = a.index().shared()};
  }
  return attention;
}

Mlp ToMlp(const v1::Mlp& mlp) {
  if (mlp.kind() == "none") return {};
  return {.width = mlp.intermediate_size(),
          .gated = mlp.gated(),
          .experts = mlp.moe().num_experts(),
          .experts_per_token = mlp.moe().experts_per_token(),
          .shared_width = mlp.moe().shared_intermediate_size(),
          .latent = mlp.moe().latent_size()};
}

// The whole model as one group.
v1::LayerGroup ShortForm(const v1::Model& model) {
  v1::LayerGroup group;
  group.set_count(model.num_layers());
  v1::Attention* attention = group.mutable_attention();
  attention->set_kind("heads");
  attention->set_num_attention_heads(model.num_attention_heads());
  attention->set_num_kv_heads(model.num_kv_heads());
  attention->set_head_dim(model.head_dim());
  attention->set_value_head_dim(model.head_dim());
  v1::Mlp* mlp = group.mutable_mlp();
  mlp->set_kind(model.has_moe() ? "experts" : "dense");
  mlp->set_intermediate_size(model.intermediate_size());
  mlp->set_gated(model.gated_mlp());
  if (model.has_moe()) *mlp->mutable_moe() = model.moe();
  return group;
}

}  // namespace

// The scales that types count are said in spec.proto.
double BytesPerElement(v1::DataType type) {
  switch (type) {
    case v1::DATA_TYPE_FP32:
      return 4;
    case v1::DATA_TYPE_FP8:
    case v1::DATA_TYPE_INT8:
      return 1;
    case v1::DATA_TYPE_INT4:
      return 0.5;
    case v1::DATA_TYPE_FP8_BLOCK:
      return 1 + 4.0 / (128 * 128);
    case v1::DATA_TYPE_MXFP4:
      return 0.5 + 1.0 / 32;
    case v1::DATA_TYPE_NVFP4:
      return 0.5 + 1.0 / 16;
    case v1::DATA_TYPE_INT4_G128:
      return 0.5 + 2.5 / 128;
    case v1::DATA_TYPE_INT4_G32:
      return 0.5 + 2.0 / 32;
    default:
      return 2;
  }
}

NumberFormat FormatOf(v1::DataType type) {
  switch (type) {
    case v1::DATA_TYPE_FP32:
      return NumberFormat::k32Bit;
    case v1::DATA_TYPE_FP8:
      return NumberFormat::kFp8;
    case v1::DATA_TYPE_FP8_BLOCK:
      return NumberFormat::kFp8Block;
    case v1::DATA_TYPE_INT8:
      return NumberFormat::kInt8;
    case v1::DATA_TYPE_INT4:
    case v1::DATA_TYPE_INT4_G128:
    case v1::DATA_TYPE_INT4_G32:
      return NumberFormat::kInt4;
    case v1::DATA_TYPE_MXFP4:
      return NumberFormat::kMxfp4;
    case v1::DATA_TYPE_NVFP4:
      return NumberFormat::kNvfp4;
    default:
      return NumberFormat::k16Bit;
  }
}

std::vector<v1::LayerGroup> LayerGroupsOf(const v1::Model& resolved) {
  if (resolved.layers().empty()) return {ShortForm(resolved)};
  return {resolved.layers().begin(), resolved.layers().end()};
}

bool ModelIsKnown(const v1::Model& resolved) {
  const bool ends = resolved.has_hidden_size() && resolved.has_vocab_size();
  if (!resolved.layers().empty()) return ends;
  return ends && resolved.has_num_layers() && resolved.has_head_dim() &&
         resolved.has_num_kv_heads() && resolved.has_intermediate_size();
}

Model ToModel(const v1::Model& resolved, v1::DataType kv_dtype) {
  Model model = {.name = resolved.name(),
                 .hidden_size = resolved.hidden_size(),
                 .vocab_size = resolved.vocab_size(),
                 .tie_word_embeddings = resolved.tie_word_embeddings(),
                 .formats = ToFormats(resolved),
                 .kv_bytes_per_element = BytesPerElement(kv_dtype),
                 .mtp_layers = resolved.mtp_layers()};
  for (const v1::LayerGroup& group : LayerGroupsOf(resolved)) {
    model.groups.push_back({.count = group.count(),
                            .attention = ToAttention(group.attention()),
                            .mlp = ToMlp(group.mlp()),
                            .extra_parameters = group.extra_parameters()});
  }
  return model;
}

SplitSizes SplitSizesOf(const v1::Model& resolved) {
  SplitSizes sizes;
  for (const v1::LayerGroup& group : LayerGroupsOf(resolved)) {
    const v1::Attention& a = group.attention();
    if (a.num_attention_heads() > 0) sizes.heads.push_back(a.num_attention_heads());
    if (a.num_kv_heads() > 0) sizes.kv_heads.push_back(a.num_kv_heads());
    if (a.has_state()) {
      sizes.heads.push_back(a.state().num_heads());
      sizes.kv_heads.push_back(a.state().num_key_heads());
    }
    if (group.mlp().has_moe()) sizes.experts.push_back(group.mlp().moe().num_experts());
  }
  return sizes;
}

}  // namespace tokensim
