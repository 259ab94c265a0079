// DeepSeek V4: queries and one key, which is the value too, in a latent space; tokens beyond a window
// are compressed, compress_ratios of them into one entry, among which an index picks where the ratio
// is small. The compressors are counted as extra parameters; hyper-connections are left out.
#include <algorithm>
#include <string>

#include "engine/io/model_config/latent.h"

namespace tokensim {
namespace {

constexpr std::string_view kTypes[] = {"deepseek_v4", "deepseek_ref"};
constexpr int32_t kIndexedRatio = 4;  // entries of larger ratios are all attended to

void Read(ConfigReader& config, v1::Model* model) {
  const int32_t layers = LayersOf(config);
  const int32_t hidden = config.Need("hidden_size");
  const int32_t head = config.Need("head_dim");
  const int32_t rope = config.Need("qk_rope_head_dim");
  if (rope >= head) config.Problem("qk_rope_head_dim is not less than head_dim");
  v1::Attention window;
  window.set_kind("latent");
  window.set_num_attention_heads(config.Need("num_attention_heads"));
  window.set_value_head_dim(head);
  window.set_kv_rank(std::max(1, head - rope));
  window.set_rope_dim(rope);
  window.set_direct(true);
  window.set_query_rank(config.Need("q_lora_rank"));
  window.set_output_rank(config.Need("o_lora_rank"));
  window.set_output_groups(config.Need("o_groups"));
  window.set_sliding_window(config.Need("sliding_window"));
  const int32_t width = config.Need("moe_intermediate_size");
  const v1::Mlp experts =
      WithShared(ExpertsOf(config, width), config.Get("n_shared_experts", 0) * width);
  const int64_t extra = LatentNorms(window) + experts.moe().num_experts();

  LayerList list(model);
  for (const int32_t ratio : config.Numbers("compress_ratios", layers)) {
    if (layers == list.size()) break;  // the others are of MTP layers
    v1::Attention attention = window;
    int64_t compressor = 0;
    if (ratio > 1) {
      attention.set_compression(ratio);
      compressor = 2 * int64_t{head} * hidden;  // values and their weights
    }
    if (ratio > 1 && ratio <= kIndexedRatio) {
      *attention.mutable_index() = IndexOf(config);
      compressor = 2 * (compressor + 2 * int64_t{attention.index().head_dim()} * hidden);
    }
    list.Add(attention, experts, extra + compressor);
  }
  if (list.size() == 0) config.Problem("compress_ratios is missing");
}

}  // namespace

const Family kDeepSeekV4Family = {kTypes, Read};

}  // namespace tokensim
