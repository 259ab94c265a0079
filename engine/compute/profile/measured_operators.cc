#include "engine/compute/profile/measured_operators.h"

namespace tokensim {
namespace {

using enum MeasuredTable;

constexpr MeasuredLayer kEmbedding[] = {{"embedding"}};
constexpr MeasuredLayer kLayerNorm[] = {{"layernorm"}};
constexpr MeasuredLayer kQkv[] = {{"qkv_proj"}, {"qk_norm", false}, {"rotary_emb", false}};
constexpr MeasuredLayer kOut[] = {{"o_proj"}};
constexpr MeasuredLayer kGateUp[] = {{"gate_up_proj"}};
constexpr MeasuredLayer kActivation[] = {{"act_fn"}};
constexpr MeasuredLayer kDown[] = {{"down_proj"}};
constexpr MeasuredLayer kFinalNorm[] = {{"final_layernorm"}};
constexpr MeasuredLayer kLmHead[] = {{"lm_head"}};
constexpr MeasuredLayer kSampler[] = {{"sampler"}};
constexpr MeasuredLayer kMoeBlock[] = {{"moe"}};

constexpr MeasuredOperator kOperators[] = {
    {"embedding", kDense, kEmbedding},
    {"input_norm", kDense, kLayerNorm},
    {"qkv_proj", kDense, kQkv},
    {"out_proj", kDense, kOut},
    {"post_attention_norm", kDense, kLayerNorm},
    {"gate_up_proj", kDense, kGateUp},
    {"up_proj", kDense, kGateUp},
    {"activation", kDense, kActivation},
    {"down_proj", kDense, kDown},
    {"final_norm", kDense, kFinalNorm},
    {"lm_head", kPerSequence, kLmHead},
    {"sampler", kPerSequence, kSampler},
    {"expert_gate_up_proj", kMoe, kMoeBlock},
    {"expert_up_proj", kMoe, kMoeBlock},
    {"router", kMoe, {}},
    {"expert_activation", kMoe, {}},
    {"expert_down_proj", kMoe, {}},
    {"expert_sum", kMoe, {}},
};

}  // namespace

const MeasuredOperator* FindMeasuredOperator(std::string_view name) {
  for (const MeasuredOperator& op : kOperators) {
    if (op.name == name) return &op;
  }
  return nullptr;
}

}  // namespace tokensim
