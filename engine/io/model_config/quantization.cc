#include "engine/io/model_config/quantization.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tokensim {
namespace {

using nlohmann::json;

enum Part { kAttention, kMlp, kShared, kExperts, kRouter, kEmbedding, kHead, kParts };

constexpr size_t kMaxNames = 100'000;

const json* Member(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string TextOf(const json& object, const char* name) {
  const json* value = Member(object, name);
  return value != nullptr && value->is_string() ? absl::AsciiStrToLower(value->get<std::string>())
                                                : "";
}

int64_t NumberOf(const json& object, const char* name) {
  const json* value = Member(object, name);
  return value != nullptr && value->is_number_integer() ? value->get<int64_t>() : 0;
}

bool Contains(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return text.find(part) != text.npos; });
}

// The part that a module, or a pattern of modules, belongs to.
std::optional<Part> PartOf(std::string_view name) {
  if (Contains(name,
               {"vision", "visual", "mm_projector", "embed_vision", "mtp", "audio", "norm"})) {
    return std::nullopt;
  }
  if (Contains(name, {"lm_head"}) || name == "head") return kHead;
  if (Contains(name, {"embed"})) return kEmbedding;
  if (Contains(name, {"shared_expert"})) return kShared;
  if (Contains(name, {"experts"})) return kExperts;
  if (Contains(name, {"attn", "q_proj", "k_proj", "v_proj", "o_proj", "in_proj", "out_proj"})) {
    return kAttention;
  }
  if (Contains(name, {"router"}) || name.ends_with("gate") || name.ends_with("gate*")) {
    return kRouter;
  }
  if (Contains(name, {"mlp", "ffn", "feed_forward", "up_proj", "down_proj"})) return kMlp;
  return std::nullopt;
}

// The number after "layers." of a name; nothing when it is of all layers.
std::optional<int64_t> LayerIn(std::string_view name) {
  const size_t at = name.find("layers.");
  if (at == std::string_view::npos) return std::nullopt;
  int64_t layer = 0;
  size_t digits = 0;
  for (size_t i = at + 7; i < name.size() && absl::ascii_isdigit(name[i]) && digits < 9; ++i) {
    layer = 10 * layer + (name[i] - '0');
    ++digits;
  }
  return digits > 0 ? std::optional(layer) : std::nullopt;
}

// How many layers of the model have each part.
std::array<int64_t, kParts> LayersWith(const v1::Model& model) {
  std::array<int64_t, kParts> layers{};
  for (const v1::LayerGroup& group : model.layers()) {
    const bool experts = group.mlp().has_moe();
    if (group.attention().kind() != "none") layers[kAttention] += group.count();
    if (experts) {
      layers[kExperts] += group.count();
      layers[kRouter] += group.count();
      if (group.mlp().moe().shared_intermediate_size() > 0) layers[kShared] += group.count();
    } else if (group.mlp().kind() != "none") {
      layers[kMlp] += group.count();
    }
  }
  return layers;
}

// What is quantised to what.
struct Scheme {
  v1::DataType type = v1::DATA_TYPE_UNSPECIFIED;  // of every matrix that is not left out
  std::vector<std::string> left_out;
  std::map<std::string, std::vector<std::string>> by_algorithm;  // modules that are named
};

std::vector<std::string> NamesIn(const json* list) {
  std::vector<std::string> names;
  if (list == nullptr || !list->is_array()) return names;
  for (const json& name : *list) {
    if (name.is_string() && names.size() < kMaxNames) names.push_back(name.get<std::string>());
  }
  return names;
}

v1::DataType TypeOfAlgorithm(const std::string& algorithm) {
  if (algorithm == "fp8" || algorithm == "fp8_pc_pt") return v1::DATA_TYPE_FP8;
  if (algorithm == "fp8_block") return v1::DATA_TYPE_FP8_BLOCK;
  if (absl::StrContains(algorithm, "nvfp4")) return v1::DATA_TYPE_NVFP4;
  if (absl::StrContains(algorithm, "mxfp4")) return v1::DATA_TYPE_MXFP4;
  if (absl::StrContains(algorithm, "int4") || algorithm.starts_with("w4a16_awq")) {
    return v1::DATA_TYPE_INT4_G128;
  }
  if (absl::StrContains(algorithm, "int8")) return v1::DATA_TYPE_INT8;
  return v1::DATA_TYPE_UNSPECIFIED;
}

// Of weights: {num_bits, type, strategy, group_size}.
v1::DataType TypeOfWeights(const json& weights) {
  const int64_t bits = NumberOf(weights, "num_bits");
  const int64_t group = NumberOf(weights, "group_size");
  const bool real = TextOf(weights, "type") == "float";
  if (bits == 8 && real) {
    return TextOf(weights, "strategy") == "block" ? v1::DATA_TYPE_FP8_BLOCK : v1::DATA_TYPE_FP8;
  }
  if (bits == 8) return v1::DATA_TYPE_INT8;
  if (bits == 4 && real) return group == 16 ? v1::DATA_TYPE_NVFP4 : v1::DATA_TYPE_MXFP4;
  if (bits == 4) return group == 32 ? v1::DATA_TYPE_INT4_G32 : v1::DATA_TYPE_INT4_G128;
  return v1::DATA_TYPE_UNSPECIFIED;
}

// compressed-tensors: the group of all linear layers, or groups of named ones.
void ReadGroups(const json& groups, Scheme* scheme) {
  if (!groups.is_object()) return;
  for (const auto& [name, group] : groups.items()) {
    const json* weights = Member(group, "weights");
    if (weights == nullptr) continue;
    const v1::DataType type = TypeOfWeights(*weights);
    const std::vector<std::string> targets = NamesIn(Member(group, "targets"));
    const bool all = targets.empty() || targets[0] == "Linear";
    if (all) {
      scheme->type = type;
    } else {
      std::vector<std::string>& named = scheme->by_algorithm[v1::DataType_Name(type)];
      named.insert(named.end(), targets.begin(), targets.end());
    }
  }
}

void ReadNamedLayers(const json& layers, Scheme* scheme) {
  if (!layers.is_object()) return;
  for (const auto& [name, layer] : layers.items()) {
    const v1::DataType type = TypeOfAlgorithm(TextOf(layer, "quant_algo"));
    if (type != 0) scheme->by_algorithm[v1::DataType_Name(type)].push_back(name);
  }
}

void Append(std::vector<std::string> names, std::vector<std::string>* to) {
  to->insert(to->end(), names.begin(), names.end());
}

// Of quantization_config, or of "quantization" of hf_quant_config.json.
absl::Status ReadScheme(const json& q, Scheme* scheme) {
  const std::string method = TextOf(q, "quant_method");
  const std::string algorithm = TextOf(q, "quant_algo");
  for (const char* name :
       {"modules_to_not_convert", "ignored_layers", "ignore", "exclude_modules"}) {
    Append(NamesIn(Member(q, name)), &scheme->left_out);
  }
  if (algorithm == "mixed_precision") {
    if (const json* layers = Member(q, "quantized_layers")) ReadNamedLayers(*layers, scheme);
    const bool blocks = method == "fp8" && Member(q, "weight_block_size") != nullptr;
    if (blocks) scheme->type = v1::DATA_TYPE_FP8_BLOCK;
    if (!scheme->by_algorithm.empty()) return absl::OkStatus();
  } else if (!algorithm.empty()) {
    scheme->type = TypeOfAlgorithm(algorithm);
  } else if (method == "fp8" || method == "fbgemm_fp8") {
    scheme->type =
        Member(q, "weight_block_size") != nullptr ? v1::DATA_TYPE_FP8_BLOCK : v1::DATA_TYPE_FP8;
  } else if (method == "mxfp4") {
    scheme->type = v1::DATA_TYPE_MXFP4;
  } else if (method == "awq" || method == "gptq") {
    const int64_t bits = std::max(NumberOf(q, "bits"), NumberOf(q, "w_bit"));
    if (bits == 8) scheme->type = v1::DATA_TYPE_INT8;
    if (bits == 4) {
      scheme->type =
          NumberOf(q, "group_size") == 32 ? v1::DATA_TYPE_INT4_G32 : v1::DATA_TYPE_INT4_G128;
    }
  }
  if (scheme->type == 0) {
    if (const json* groups = Member(q, "config_groups")) ReadGroups(*groups, scheme);
  }
  if (scheme->type == 0 && scheme->by_algorithm.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("quantization '", method, algorithm.empty() ? "" : " " + algorithm,
                     "' is not understood; give --dtype or weight_dtype"));
  }
  return absl::OkStatus();
}

// Parts that at least half of the layers that have them name.
std::set<Part> PartsNamed(const std::vector<std::string>& names,
                          const std::array<int64_t, kParts>& layers_with) {
  std::array<std::set<int64_t>, kParts> layers;
  std::set<Part> parts;
  for (const std::string& name : names) {
    const std::optional<Part> part = PartOf(name);
    if (!part.has_value()) continue;
    const std::optional<int64_t> layer = LayerIn(name);
    if (layer.has_value()) {
      layers[*part].insert(*layer);
    } else {
      parts.insert(*part);
    }
  }
  for (int part = 0; part < kParts; ++part) {
    const auto named = static_cast<int64_t>(layers[static_cast<size_t>(part)].size());
    if (named > 0 && 2 * named >= layers_with[static_cast<size_t>(part)]) {
      parts.insert(static_cast<Part>(part));
    }
  }
  return parts;
}

v1::DataType PlainType(const std::string& dtype) {
  if (dtype == "float32") return v1::DATA_TYPE_FP32;
  return dtype == "float16" ? v1::DATA_TYPE_FP16 : v1::DATA_TYPE_BF16;
}

using Types = std::array<v1::DataType, kParts>;

// What is most of the weights is the type of all, the others are said.
void Say(const Types& types, v1::DataType plain, const std::array<int64_t, kParts>& layers_with,
         v1::Model* model) {
  const v1::DataType most = layers_with[kExperts] > 0 ? types[kExperts] : types[kMlp];
  model->set_weight_dtype(most);
  if (std::all_of(types.begin(), types.end(), [&](v1::DataType t) { return t == most; }) &&
      plain == most) {
    return;
  }
  v1::WeightDtypes* parts = model->mutable_weight_dtypes();
  const auto differs = [&](Part part) { return types[part] != most; };
  const auto has = [&](Part part) { return layers_with[part] > 0; };
  if (has(kAttention) && differs(kAttention)) parts->set_attention(types[kAttention]);
  if (has(kMlp) && differs(kMlp)) parts->set_mlp(types[kMlp]);
  if (has(kShared) && differs(kShared)) parts->set_shared_experts(types[kShared]);
  if (has(kRouter) && differs(kRouter)) parts->set_router(types[kRouter]);
  if (differs(kEmbedding)) parts->set_embedding(types[kEmbedding]);
  if (differs(kHead)) parts->set_head(types[kHead]);
  if (plain != most) parts->set_norms(plain);
}

}  // namespace

absl::Status ReadWeightTypes(const ConfigReader& config, const json* quantization,
                             v1::DataType force, v1::Model* model) {
  std::string dtype = config.Text("dtype");
  if (dtype.empty()) dtype = config.Text("torch_dtype");
  v1::DataType plain = PlainType(dtype);
  const std::array<int64_t, kParts> layers_with = LayersWith(*model);
  Types types;
  types.fill(plain);
  if (force != v1::DATA_TYPE_UNSPECIFIED) {
    const bool whole = force <= v1::DATA_TYPE_FP16;
    if (whole) types.fill(force);
    if (whole) plain = force;
    for (const Part part : {kAttention, kMlp, kShared, kExperts}) types[part] = force;
    Say(types, plain, layers_with, model);
    return absl::OkStatus();
  }
  const json* section = config.Object("quantization_config");
  if (quantization != nullptr) {
    if (const json* inner = Member(*quantization, "quantization")) section = inner;
  }
  if (section != nullptr) {
    Scheme scheme;
    if (absl::Status status = ReadScheme(*section, &scheme); !status.ok()) return status;
    if (scheme.type != 0) {
      for (const Part part : {kAttention, kMlp, kShared, kExperts}) types[part] = scheme.type;
    }
    for (const Part part : PartsNamed(scheme.left_out, layers_with)) types[part] = plain;
    for (const auto& [name, modules] : scheme.by_algorithm) {
      v1::DataType type = plain;
      v1::DataType_Parse(name, &type);
      for (const Part part : PartsNamed(modules, layers_with)) types[part] = type;
    }
    if (TextOf(*section, "quant_method") == "mxfp4") types[kShared] = types[kMlp] = plain;
  }
  // DeepSeek V4 says so of its experts alone.
  const bool listed = section != nullptr && Member(*section, "quantized_layers") != nullptr;
  if (!listed && config.Text("expert_dtype") == "fp4") types[kExperts] = v1::DATA_TYPE_MXFP4;
  Say(types, plain, layers_with, model);
  return absl::OkStatus();
}

}  // namespace tokensim
