#include "engine/io/plan/model_import.h"

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/io/model_config/model_config.h"
#include "engine/io/plan/features/model.h"
#include "engine/io/plan/features/model_plan.h"

namespace tokensim {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kConfig = "config.json";

absl::StatusOr<std::string> ReadText(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    return absl::NotFoundError(absl::StrCat("no file ", path.string()));
  }
  if (fs::file_size(path, error) > kMaxModelConfigBytes || error) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), " is larger than 8 MiB"));
  }
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path.string()));
  return text;
}

// NAME_ of NAME_config.json; empty for config.json; the whole name without .json for others.
std::string PrefixOf(const fs::path& path) {
  std::string name = path.filename().string();
  if (name.ends_with(kConfig)) name.resize(name.size() - kConfig.size());
  return name;
}

// Organisation/name of "organisation--name_config.json"; the folder's name for a plain config.json.
std::string NameOf(const fs::path& path) {
  std::string name = PrefixOf(path);
  if (name.empty()) {
    std::error_code error;
    name = fs::absolute(path, error).parent_path().filename().string();
  }
  while (name.ends_with('_') || name.ends_with('.')) name.pop_back();
  const size_t split = name.find("--");
  if (split != std::string::npos) name.replace(split, 2, "/");
  return name;
}

}  // namespace

absl::StatusOr<v1::Model> ReadModelFile(const fs::path& path, v1::DataType weight_dtype) {
  const absl::StatusOr<std::string> text = ReadText(path);
  if (!text.ok()) return text.status();
  ModelConfigOptions options = {.weight_dtype = weight_dtype};
  std::string quantization;
  const fs::path beside = path.parent_path() / (PrefixOf(path) + "hf_quant_config.json");
  std::error_code error;
  if (fs::is_regular_file(beside, error)) {
    absl::StatusOr<std::string> read = ReadText(beside);
    if (!read.ok()) return read.status();
    quantization = *std::move(read);
    options.quantization = quantization;
  }
  absl::StatusOr<v1::Model> model = ReadModelConfig(*text, options);
  if (!model.ok()) return model.status();
  const std::string name = NameOf(path);
  model->set_name(name.substr(name.rfind('/') + 1));
  model->set_source(absl::StrCat("config.json of ", name, " (Hugging Face)"));
  return model;
}

absl::StatusOr<Model> CheckModel(const v1::Model& message) {
  v1::Model resolved = message;
  Findings findings;
  ResolveModel(TracePolicy::NoPaths(), "model", /*required=*/true, &resolved, &findings);
  if (findings.errors() > 0) {
    std::string all;
    for (const v1::Finding& finding : findings.Take()) {
      absl::StrAppend(&all, all.empty() ? "" : "; ", finding.field(), ": ", finding.message());
    }
    return absl::InvalidArgumentError(all);
  }
  return ToModel(resolved, v1::DATA_TYPE_BF16);
}

absl::StatusOr<ImportedModel> ImportModel(const fs::path& path, v1::DataType weight_dtype) {
  absl::StatusOr<v1::Model> message = ReadModelFile(path, weight_dtype);
  if (!message.ok()) return message.status();
  absl::StatusOr<Model> model = CheckModel(*message);
  if (!model.ok()) return model.status();
  return ImportedModel{*std::move(message), *std::move(model)};
}

}  // namespace tokensim
