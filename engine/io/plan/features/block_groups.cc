#include "engine/io/plan/features/block_groups.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/local_scheduler.h"
#include "engine/io/plan/features/parallelism.h"

namespace tokensim {
namespace {

// Counters of that many are kept for each worker.
constexpr int64_t kMaxBlockTokens = 65'536;
// Of the states of one sequence over all devices, and of the KV cache of a token.
constexpr double kMaxStateBytes = 1e12;
constexpr double kMaxTokenBytes = 1e9;

int64_t Whole(double bytes) { return static_cast<int64_t>(std::ceil(std::min(bytes, 1e18))); }

void Add(const KvLayers& layers, std::vector<KvLayers>* kinds) {
  for (KvLayers& known : *kinds) {
    KvLayers same = known;
    same.layers = layers.layers;
    if (!(same == layers)) continue;
    known.layers += layers.layers;
    return;
  }
  kinds->push_back(layers);
}

// Of a model of this group alone.
void AddGroup(LayerGroup group, double element, int32_t tensor, std::vector<KvLayers>* kinds) {
  const double layers = group.count;
  const auto layout = [&] {
    Model model;
    model.kv_bytes_per_element = element;
    model.groups = {group};
    return KvLayoutOf(model, {.tensor = tensor});
  };
  const Attention& a = group.attention;
  if (a.compression > 1) {
    const KvGroup entries = layout().groups.back();
    Add({.layers = group.count, .compressed_bytes = entries.bytes_per_token / layers}, kinds);
    // Index keys are of entries.
    group.attention.compression = 1;
    group.attention.index.key_bytes = 0;
  }
  for (const KvGroup& kept : layout().groups) {
    Add({.layers = group.count,
         .token_bytes = Whole(kept.bytes_per_token / layers),
         .window = kept.window,
         .chunked = kept.chunked,
         .state_bytes = Whole(kept.state_bytes / layers)},
        kinds);
  }
}

bool AnyLatent(const Model& model) {
  return std::any_of(model.groups.begin(), model.groups.end(), [](const LayerGroup& group) {
    return group.attention.kind == AttentionKind::kLatent;
  });
}

// A sequence that has tokens has blocks.
bool AlwaysHoldsBlocks(const BlockLayoutConfig& config) {
  return std::any_of(config.groups.begin(), config.groups.end(), [](const BlockGroup& group) {
    return group.state_blocks > 0 || (!group.chunked && group.window != 1);
  });
}

bool CheckLayout(const std::string& model, const BlockLayoutConfig& config, Findings* findings) {
  const int64_t common = CommonBlockSize(config);
  if (common > kMaxBlockTokens) {
    findings->Error(model, absl::StrCat("has layers whose KV blocks have ", Grouped(common),
                                        " tokens in common; at most ", Grouped(kMaxBlockTokens),
                                        " are allowed: entries are small beside states or beside "
                                        "those of other layers, or memory.block_size is large"));
    return false;
  }
  for (const BlockGroup& group : config.groups) {
    if (!group.chunked || group.window % group.block_size == 0) continue;
    findings->Error(model, absl::StrCat("attends in chunks of ", Grouped(group.window),
                                        " tokens; they must be a multiple of its KV blocks of ",
                                        Grouped(group.block_size), " tokens"));
    return false;
  }
  if (!AlwaysHoldsBlocks(config)) {
    findings->Error(model,
                    "keeps nothing at the end of a chunk: at least one layer must attend to every "
                    "token, to a sliding_window of 2 tokens or more, or keep a state");
    return false;
  }
  return true;
}

}  // namespace

std::vector<KvLayers> KvLayersOf(const Model& model, int32_t tensor) {
  std::vector<KvLayers> kinds;
  for (const LayerGroup& group : model.groups) {
    if (group.attention.kind == AttentionKind::kNone || group.count == 0) continue;
    AddGroup(group, model.kv_bytes_per_element, tensor, &kinds);
  }
  return kinds;
}

bool KeepsLess(const Model& model) {
  return std::any_of(model.groups.begin(), model.groups.end(), [](const LayerGroup& group) {
    return group.attention.kind == AttentionKind::kLinear || group.attention.window > 0;
  });
}

bool KeepsStates(const Model& model) {
  return std::any_of(model.groups.begin(), model.groups.end(), [](const LayerGroup& group) {
    return group.attention.kind == AttentionKind::kLinear;
  });
}

std::shared_ptr<const BlockLayout> LayoutOf(const std::string& path, const Model& model,
                                            const v1::WorkerGroup& group, Findings* findings) {
  const std::string field = group.has_model() ? JoinPath(path, "model") : "model";
  const ParallelismConfig split = ToParallelism(group.parallelism());
  const std::vector<KvLayers> kinds = KvLayersOf(model, split.tensor);
  const KvLayout sizes = KvLayoutOf(model, {.tensor = split.tensor});
  const double states = static_cast<double>(sizes.state_bytes()) * split.tensor;
  if (states > kMaxStateBytes) {
    findings->Error(field,
                    absl::StrCat("keeps states of ", states, " bytes of a sequence; at most ",
                                 kMaxStateBytes, " are allowed"));
    return nullptr;
  }
  // Told where the bytes of a token are checked.
  if (static_cast<double>(sizes.bytes_per_token()) * split.tensor > kMaxTokenBytes) return nullptr;
  const v1::LocalScheduler& scheduler = group.local_scheduler();
  const int64_t in_flight =
      int64_t{scheduler.max_num_batched_tokens()} * scheduler.async_scheduling_depth();
  const BlockLayoutConfig config =
      ShapeBlocks(kinds, {.block_size = group.memory().block_size(),
                          .block_step = AnyLatent(model) ? 128 : 16,
                          .devices = split.tensor,
                          .largest_chunk = TraitsOf(scheduler).splits_prompts ? in_flight : 0});
  if (!CheckLayout(field, config, findings)) return nullptr;
  return std::make_shared<const BlockLayout>(config);
}

}  // namespace tokensim
