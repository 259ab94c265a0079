#include "engine/io/model_config/model_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/io/model_config/config_reader.h"
#include "engine/io/model_config/families.h"
#include "engine/io/model_config/quantization.h"

namespace tokensim {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 64;

// Python writes Infinity and NaN, which JSON has not: null in their place.
std::string WithoutSpecialNumbers(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\' && i + 1 < text.size()) {
      out += c;
      out += text[++i];
      continue;
    }
    if (c == '"') quoted = !quoted;
    const std::string_view rest = text.substr(i);
    const bool infinite = !quoted && rest.starts_with("Infinity");
    if (infinite || (!quoted && rest.starts_with("NaN"))) {
      if (!out.empty() && out.back() == '-') out.pop_back();
      out += "null";
      i += infinite ? 7 : 2;
      continue;
    }
    out += c;
  }
  return out;
}

absl::StatusOr<json> ParseObject(std::string_view text, const char* what) {
  if (text.size() > kMaxModelConfigBytes) {
    return absl::InvalidArgumentError(absl::StrCat(what, " is larger than 8 MiB"));
  }
  bool deep = false;
  const json::parser_callback_t callback = [&](int depth, json::parse_event_t, json&) {
    deep = deep || depth > kMaxDepth;
    return !deep;
  };
  json parsed = json::parse(WithoutSpecialNumbers(text), callback, /*allow_exceptions=*/false);
  if (deep) return absl::InvalidArgumentError(absl::StrCat(what, " is nested too deeply"));
  if (parsed.is_discarded() || !parsed.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(what, " is not a JSON object"));
  }
  return parsed;
}

const Family* FindFamily(const std::string& model_type) {
  for (const Family* family : Families()) {
    const auto& types = family->model_types;
    if (std::find(types.begin(), types.end(), model_type) != types.end()) return family;
  }
  return nullptr;
}

absl::Status Unknown(const ConfigReader& config) {
  const std::string type = config.model_type();
  std::string architectures = config.architectures();
  if (!architectures.empty()) architectures = absl::StrCat(" (", architectures, ")");
  if (type.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("model_type is missing", architectures, ": is this a config.json?"));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "architecture ", absl::CHexEscape(type.substr(0, 100)), architectures,
      " is not understood: nothing here knows its layers. State them with model.layers, or use one "
      "of ",
      absl::StrJoin(ModelConfigTypes(), ", ")));
}

// One group that the fields of the model can say becomes the short form.
void Shorten(v1::Model* model) {
  if (model->layers_size() != 1) return;
  const v1::LayerGroup group = model->layers(0);
  v1::Attention plain;
  plain.set_num_attention_heads(group.attention().num_attention_heads());
  plain.set_num_kv_heads(group.attention().num_kv_heads());
  plain.set_head_dim(group.attention().head_dim());
  if (plain.SerializeAsString() != group.attention().SerializeAsString()) return;
  if (!group.mlp().kind().empty()) return;
  model->clear_layers();
  model->set_num_layers(group.count());
  model->set_num_attention_heads(plain.num_attention_heads());
  model->set_num_kv_heads(plain.num_kv_heads());
  model->set_head_dim(plain.head_dim());
  model->set_intermediate_size(group.mlp().intermediate_size());
  if (group.mlp().has_gated()) model->set_gated_mlp(group.mlp().gated());
  if (group.mlp().has_moe()) *model->mutable_moe() = group.mlp().moe();
}

// The least of what the config says.
void ReadLongestContext(ConfigReader& config, v1::Model* model) {
  int32_t least = 0;
  for (const char* name : {"max_position_embeddings", "n_positions", "max_seq_len", "seq_length",
                           "model_max_length"}) {
    const int32_t length = config.Get(name, 0);
    if (length > 1 && (least == 0 || length < least)) least = length;
  }
  if (least > 0) model->set_max_position_embeddings(least);
}

}  // namespace

absl::StatusOr<v1::Model> ReadModelConfig(std::string_view text,
                                          const ModelConfigOptions& options) {
  absl::StatusOr<json> parsed = ParseObject(text, "the model's config");
  if (!parsed.ok()) return parsed.status();
  json quantization;
  if (!options.quantization.empty()) {
    absl::StatusOr<json> beside = ParseObject(options.quantization, "hf_quant_config.json");
    if (!beside.ok()) return beside.status();
    quantization = *std::move(beside);
  }
  ConfigReader config(*parsed);
  const Family* family = FindFamily(config.model_type());
  if (family == nullptr) return Unknown(config);

  v1::Model model;
  model.set_hidden_size(config.Need("hidden_size"));
  model.set_vocab_size(config.Need("vocab_size"));
  model.set_tie_word_embeddings(config.Flag("tie_word_embeddings", false));
  ReadLongestContext(config, &model);
  const int32_t mtp = config.Get({"num_nextn_predict_layers", "mtp_num_hidden_layers"}, 0);
  if (mtp > 0) model.set_mtp_layers(mtp);
  family->read(config, &model);
  if (!config.status().ok()) return config.status();
  const absl::Status types = ReadWeightTypes(
      config, quantization.is_object() ? &quantization : nullptr, options.weight_dtype, &model);
  if (!types.ok()) return types;
  Shorten(&model);
  return model;
}

std::vector<std::string> ModelConfigTypes() {
  std::vector<std::string> types;
  for (const Family* family : Families()) {
    types.insert(types.end(), family->model_types.begin(), family->model_types.end());
  }
  std::sort(types.begin(), types.end());
  return types;
}

}  // namespace tokensim
