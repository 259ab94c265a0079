#include "engine/workload/request_drawer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/math.h"

namespace tokensim {
namespace {

// A prompt that begins with a group's text is no longer the one of the trace.
void AddHashIds(const TraceTable& trace, size_t row, PromptContent* content) {
  if (trace.hash_begin.empty() || content->prefix_tokens > 0) return;
  const auto begin = static_cast<size_t>(trace.hash_begin[row]);
  const auto end = static_cast<size_t>(trace.hash_begin[row + 1]);
  content->hash_ids = std::span(trace.hash_ids).subspan(begin, end - begin);
  content->hash_block_tokens = trace.hash_block_tokens;
}

template <typename Source>
class TypedLengths final : public LengthStream {
 public:
  TypedLengths(Source source, std::shared_ptr<const TraceTable> trace)
      : source_(std::move(source)), trace_(std::move(trace)) {}

  LengthPair Next(PromptContent* content) override {
    if constexpr (requires { source_.NextRow(); }) {
      const size_t row = source_.NextRow();
      AddHashIds(*trace_, row, content);
      return {trace_->input_tokens[row], trace_->output_tokens[row]};
    } else {
      return source_.Next();
    }
  }

 private:
  Source source_;
  std::shared_ptr<const TraceTable> trace_;
};

std::unique_ptr<LengthStream> MakeLengths(const Lengths& lengths, const Workload& workload,
                                          uint64_t seed, std::string_view stream) {
  return VisitLengths(
      lengths, workload.trace, seed, stream, [&](auto source) -> std::unique_ptr<LengthStream> {
        return std::make_unique<TypedLengths<decltype(source)>>(std::move(source), workload.trace);
      });
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
      lengths_(MakeLengths(workload.lengths, workload, seed, kLengthStream)) {
  for (const ClientClassConfig& config : workload.classes) {
    const std::string stream = absl::StrCat(kLengthStream, ".", class_lengths_.size());
    class_lengths_.push_back(config.lengths ? MakeLengths(*config.lengths, workload, seed, stream)
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

LengthPair RequestDrawer::DrawLengths(int32_t client_class, PromptContent* content) {
  PromptContent unused;
  const auto index = static_cast<size_t>(client_class);
  LengthStream* own = class_lengths_.empty() ? nullptr : class_lengths_[index].get();
  const LengthPair lengths = lengths_->Next(own == nullptr ? content : &unused);
  return own == nullptr ? lengths : own->Next(content);
}

}  // namespace tokensim
