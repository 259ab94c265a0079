#include "engine/workload/request_drawer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/math.h"

namespace tokensim {
namespace {

// A prompt that begins with a group's text is no longer the one of the trace.
void AddHashIds(const TraceTable& trace, int64_t drawn, PromptContent* content) {
  if (trace.hash_begin.empty() || content->prefix_tokens > 0) return;
  const auto row = static_cast<size_t>(drawn);
  const auto begin = static_cast<size_t>(trace.hash_begin[row]);
  const auto end = static_cast<size_t>(trace.hash_begin[row + 1]);
  content->hash_ids = std::span(trace.hash_ids).subspan(begin, end - begin);
  content->hash_block_tokens = trace.hash_block_tokens;
}

std::vector<double> Shares(const std::vector<ClientClassConfig>& classes) {
  std::vector<double> shares;
  for (const ClientClassConfig& config : classes) shares.push_back(config.share);
  return shares;
}

// Group k of n has popularity 1 / k^zipf.
std::vector<double> Popularities(const std::optional<PrefixGroupConfig>& config) {
  std::vector<double> weights(config.has_value() ? static_cast<size_t>(config->groups) : 0);
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i] = math::Exp(-config->zipf * math::Log(static_cast<double>(i + 1)));
  }
  return weights;
}

}  // namespace

WeightedSampler::WeightedSampler(const std::vector<double>& weights) {
  double sum = 0;
  for (const double weight : weights) cumulative_.push_back(sum += weight);
}

size_t WeightedSampler::Draw(RngStream& rng) const {
  const double u = rng.Uniform() * cumulative_.back();
  const auto above = std::upper_bound(cumulative_.begin(), cumulative_.end() - 1, u);
  return static_cast<size_t>(above - cumulative_.begin());
}

RequestDrawer::RequestDrawer(const Workload& workload, uint64_t seed)
    : class_rng_(seed, "class"),
      prefix_rng_(seed, "prefix"),
      classes_(Shares(workload.classes)),
      groups_(Popularities(workload.prefix_groups)),
      prefix_tokens_(workload.prefix_groups ? workload.prefix_groups->tokens : 0),
      trace_(workload.trace),
      lengths_(workload.lengths, trace_, seed, kLengthStream) {
  for (const ClientClassConfig& config : workload.classes) {
    const std::string stream = absl::StrCat(kLengthStream, ".", class_lengths_.size());
    class_lengths_.push_back(
        config.lengths ? std::make_unique<LengthStream>(*config.lengths, trace_, seed, stream)
                       : nullptr);
  }
}

void RequestDrawer::DrawClient(RequestInput* request) {
  request->client_class =
      classes_.size() == 0 ? 0 : static_cast<int32_t>(classes_.Draw(class_rng_));
  request->content = {};
  if (groups_.size() == 0) return;
  request->content.prefix_group = groups_.Draw(prefix_rng_) + 1;
  request->content.prefix_tokens = prefix_tokens_;
}

LengthDraw RequestDrawer::DrawLengths(int32_t client_class, PromptContent* content) {
  LengthDraw draw = lengths_.Next();
  if (!class_lengths_.empty()) {
    LengthStream* own = class_lengths_[static_cast<size_t>(client_class)].get();
    if (own != nullptr) draw = own->Next();
  }
  if (draw.row >= 0) AddHashIds(*trace_, draw.row, content);
  return draw;
}

}  // namespace tokensim
