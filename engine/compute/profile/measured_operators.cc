#include "engine/compute/profile/measured_operators.h"

namespace tokensim {
namespace {

using enum MeasuredTable;

constexpr std::string_view kWithQkv[] = {"qk_norm", "rotary_emb"};

constexpr MeasuredOperator kOperators[] = {
    {"embedding", kDense, "embedding"},
    {"input_norm", kDense, "layernorm"},
    {"qkv_proj", kDense, "qkv_proj", kWithQkv},
    {"out_proj", kDense, "o_proj"},
    {"post_attention_norm", kDense, "layernorm"},
    {"gate_up_proj", kDense, "gate_up_proj"},
    {"up_proj", kDense, "gate_up_proj"},
    {"activation", kDense, "act_fn"},
    {"down_proj", kDense, "down_proj"},
    {"final_norm", kDense, "final_layernorm"},
    {"lm_head", kPerSequence, "lm_head"},
    {"sampler", kPerSequence, "sampler"},
    {"expert_gate_up_proj", kMoe, "moe"},
    {"expert_up_proj", kMoe, "moe"},
    {"router", kMoe, ""},
    {"expert_activation", kMoe, ""},
    {"expert_down_proj", kMoe, ""},
    {"expert_sum", kMoe, ""},
};

}  // namespace

const MeasuredOperator* FindMeasuredOperator(std::string_view name) {
  for (const MeasuredOperator& op : kOperators) {
    if (op.name == name) return &op;
  }
  return nullptr;
}

}  // namespace tokensim
