#include "engine/io/profile/profile_reader.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/io/profile/number_table.h"
#include "engine/io/yaml/yaml_tree.h"

namespace tokensim {
namespace {

namespace fs = std::filesystem;

// The value of a key of a map; null: it has none.
const YamlNode* Find(const YamlTree& tree, const YamlNode* map, std::string_view key) {
  if (map == nullptr || map->kind != YamlNode::Kind::kMap) return nullptr;
  for (size_t i = 0; i + 1 < map->children.size(); i += 2) {
    if (tree.Get(map->children[i]).scalar == key) return &tree.Get(map->children[i + 1]);
  }
  return nullptr;
}

// Whether the bundle wants its skew.csv to be used: skew_fit.enabled, which may be left out.
absl::Status ReadMeta(const fs::path& path, bool* use_skew) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  YamlTree tree;
  int line = 0;
  if (const absl::Status status = ParseYamlTree(text.str(), &tree, &line); !status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), ":", line, ": ", std::string(status.message())));
  }
  if (tree.nodes.empty()) return absl::OkStatus();
  const YamlNode* enabled = Find(tree, Find(tree, &tree.Get(0), "skew_fit"), "enabled");
  if (enabled == nullptr) return absl::OkStatus();
  if (enabled->scalar != "true" && enabled->scalar != "false") {
    return absl::InvalidArgumentError(absl::StrCat(
        path.string(), ":", enabled->line, ": skew_fit.enabled is neither true nor false"));
  }
  *use_skew = enabled->scalar == "true";
  return absl::OkStatus();
}

// Sizes of a column. Out of range becomes the nearest; CheckProfile refuses what is too small.
std::vector<int32_t> Sizes(const std::vector<double>& column) {
  std::vector<int32_t> sizes;
  for (const double value : column) {
    sizes.push_back(static_cast<int32_t>(std::clamp(value, -1.0, 1e9)));
  }
  return sizes;
}

std::vector<float> Times(const std::vector<double>& column) {
  return {column.begin(), column.end()};
}

absl::Status ReadOperators(const fs::path& path, const std::string& size_column,
                           OperatorTimesTable* out) {
  const auto table = NumberTable::Read(path.string(), "layer", {size_column, "time_us"});
  if (!table.ok()) return table.status();
  for (const std::string& name : table->text()) {
    auto found = std::find(out->layers.begin(), out->layers.end(), name);
    if (found == out->layers.end()) found = out->layers.insert(found, name);
    out->layer.push_back(static_cast<int32_t>(found - out->layers.begin()));
  }
  out->size = Sizes(table->column(0));
  out->microseconds = Times(table->column(1));
  return absl::OkStatus();
}

absl::Status ReadAttention(const fs::path& path, AttentionTimesTable* out) {
  const auto table = NumberTable::Read(
      path.string(), "", {"prefill_chunk", "kv_prefill", "n_decode", "kv_decode", "time_us"});
  if (!table.ok()) return table.status();
  out->prefill_chunk = Sizes(table->column(0));
  out->kv_prefill = Sizes(table->column(1));
  out->n_decode = Sizes(table->column(2));
  out->kv_decode = Sizes(table->column(3));
  out->microseconds = Times(table->column(4));
  return absl::OkStatus();
}

absl::Status ReadMoe(const fs::path& path, MoeTimesTable* out) {
  const auto table =
      NumberTable::Read(path.string(), "", {"tokens", "activated_experts", "time_us"});
  if (!table.ok()) return table.status();
  out->tokens = Sizes(table->column(0));
  out->activated_experts = Sizes(table->column(1));
  out->microseconds = Times(table->column(2));
  return absl::OkStatus();
}

// Batches are measured with `nb` of `n` decodes at a long context, the others at a short one. The
// running set of a server has some long ones among many: the mean over the batches with about a
// fifth long, by chunk and n. alpha is blank where contexts make no difference.
absl::Status ReadSkew(const fs::path& path, SkewTable* out) {
  constexpr double kLeastLong = 0.1;
  constexpr double kMostLong = 0.3;
  const auto table =
      NumberTable::Read(path.string(), "", {"n", "nb", "pc", "alpha"}, NumberTable::Blank::kSkip);
  if (!table.ok()) return table.status();
  struct Mean {
    double sum = 0;
    int32_t count = 0;
  };
  std::map<std::pair<double, double>, Mean> means;  // by chunk and n
  for (size_t i = 0; i < table->rows(); ++i) {
    const double n = table->column(0)[i];
    const double share = table->column(1)[i] / n;
    if (share < kLeastLong || share > kMostLong) continue;
    Mean& mean = means[{table->column(2)[i], n}];
    mean.sum += std::clamp(table->column(3)[i], -1.0, 1.0);
    ++mean.count;
  }
  for (const auto& [key, mean] : means) {
    out->prefill_chunk.push_back(static_cast<int32_t>(std::clamp(key.first, -1.0, 1e9)));
    out->n_decode.push_back(static_cast<int32_t>(std::clamp(key.second, -1.0, 1e9)));
    out->alpha.push_back(static_cast<float>(mean.sum / mean.count));
  }
  return absl::OkStatus();
}

// The last four folders: GPU-independent layouts keep model, variant and tensor parallelism there.
std::string SourceOf(const fs::path& directory) {
  std::vector<std::string> parts;
  for (const fs::path& part : directory.lexically_normal()) {
    if (!part.empty() && part != "/" && part != ".") parts.push_back(part.string());
  }
  const size_t first = parts.size() > 5 ? parts.size() - 5 : 0;
  std::string source;
  for (size_t i = first; i < parts.size(); ++i) {
    absl::StrAppend(&source, i == first ? "" : "/", parts[i]);
  }
  return source;
}

}  // namespace

absl::StatusOr<ProfileTables> ReadProfile(const std::string& directory) {
  fs::path base = fs::path(directory).lexically_normal();
  if (base.filename().empty()) base = base.parent_path();  // a slash at the end
  std::error_code error;
  if (!fs::is_directory(base, error)) {
    return absl::NotFoundError(absl::StrCat("no directory ", directory));
  }
  ProfileTables tables;
  tables.source = SourceOf(base);
  absl::Status status = ReadOperators(base / "dense.csv", "tokens", &tables.dense);
  if (status.ok() && fs::exists(base / "per_sequence.csv", error)) {
    status = ReadOperators(base / "per_sequence.csv", "sequences", &tables.per_sequence);
  }
  if (status.ok()) status = ReadAttention(base / "attention.csv", &tables.attention);
  if (status.ok() && fs::exists(base / "moe.csv", error)) {
    status = ReadMoe(base / "moe.csv", &tables.moe);
  }
  if (status.ok() && fs::exists(base / "skew.csv", error)) {
    status = ReadSkew(base / "skew.csv", &tables.skew);
  }
  if (status.ok() && fs::exists(base.parent_path() / "meta.yaml", error)) {
    status = ReadMeta(base.parent_path() / "meta.yaml", &tables.use_skew);
  }
  if (!status.ok()) return status;
  return tables;
}

}  // namespace tokensim
