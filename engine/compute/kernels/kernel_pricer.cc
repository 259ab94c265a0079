#include "engine/compute/kernels/kernel_pricer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/compute/backend.h"
#include "engine/compute/operators.h"
#include "engine/compute/roofline.h"

namespace tokensim {
namespace {

// The surface of one kernel, at what this worker fixes of its sizes.
struct Priced {
  EfficiencyGrid grid;
  std::string source;
  double error = 0;
};

// `fixed`: sizes of the axes behind the first that vary.
std::optional<Priced> Find(std::span<const EfficiencySurface> surfaces, SurfaceKernel kernel,
                           double weight_bytes, std::span<const double> fixed = {}) {
  for (const EfficiencySurface& surface : surfaces) {
    if (surface.kernel != kernel || surface.weight_bytes != weight_bytes) continue;
    EfficiencyGrid grid(surface);
    size_t axis = surface.axes.size();
    for (size_t i = fixed.size(); i-- > 0;) grid = grid.Slice(--axis, fixed[i]);
    return Priced{std::move(grid), "kernel surface: " + surface.source, surface.error};
  }
  return std::nullopt;
}

class KernelPricer final : public OperatorPricer {
 public:
  KernelPricer(const TransformerConfig& model, const DeviceConfig& device,
               std::span<const EfficiencySurface> surfaces, const ParallelismConfig& split)
      : operators_(model, split),
        roofline_(MakeRooflinePricer(model, device, split)),
        gemm_seconds_per_flop_(1 / GemmPeak(model, device)),
        seconds_per_flop_(1 / device.peak_flops),
        seconds_per_byte_(1 / device.memory_bandwidth_bytes_per_second),
        link_seconds_per_byte_(1 / device.interconnect.bandwidth_bytes_per_second),
        devices_(split.tensor),
        heads_(operators_.shard().attention_heads),
        kv_heads_(operators_.shard().kv_heads) {
    // 16-bit attention and all-reduce whatever the weights are.
    constexpr double kActivationBytes = 2;
    const double group = heads_ / kv_heads_;
    const double prefill[] = {group, 1.0 * model.head_dim};
    const double decode[] = {group, kv_heads_, 1.0 * model.head_dim};
    const double moe[] = {1.0 * model.hidden_size, 1.0 * operators_.shard().intermediate_size};
    const double weights = model.weight_bytes_per_parameter;
    gemm_ = Find(surfaces, SurfaceKernel::kGemm, weights);
    prefill_ = Find(surfaces, SurfaceKernel::kPrefillAttention, kActivationBytes, prefill);
    decode_ = Find(surfaces, SurfaceKernel::kDecodeAttention, kActivationBytes, decode);
    if (devices_ > 1) all_reduce_ = Find(surfaces, SurfaceKernel::kAllReduce, kActivationBytes);
    if (model.num_experts > 0) moe_ = Find(surfaces, SurfaceKernel::kMoe, weights, moe);
    ListSources();
  }

  double Seconds(const Operator& op) const override {
    if (InMoeBlock(op)) return 0;
    const Priced* surface = SurfaceOf(op);
    if (surface == nullptr) return roofline_->Seconds(op);
    if (op.kind == OperatorKind::kAllReduce) {
      const double sizes[] = {devices_, op.bytes};
      return op.bytes * link_seconds_per_byte_ / surface->grid.At(sizes);
    }
    const double work = std::max(op.flops * gemm_seconds_per_flop_, op.bytes * seconds_per_byte_);
    const double rows = op.rows / op.matrices;
    if (IsExperts(op) && moe_) {
      const double sizes[] = {rows, op.matrices};
      return work / surface->grid.At(sizes);
    }
    const double sizes[] = {rows, op.outer * op.matrices, op.inner};
    return work / surface->grid.At(sizes);
  }

  AttentionSeconds Attention(const IterationShape& shape, int32_t parts) const override {
    AttentionSeconds seconds;
    const bool priced = prefill_ && decode_;
    if (!priced) seconds = roofline_->Attention(shape, parts);
    if (shape.decode_count > 0 && decode_) {
      const double count = shape.decode_count;
      const double sizes[] = {count / parts * kv_heads_,
                              static_cast<double>(shape.decode_context) / count};
      const Operator op = operators_.DecodeAttention(shape.decode_count, shape.decode_context);
      seconds.decode = AttentionWork(op) / (parts * decode_->grid.At(sizes));
    }
    if (!shape.prefill.empty() && prefill_) {
      const auto chunks = static_cast<double>(shape.prefill.size());
      double pairs = 0;  // twice the (query, key) pairs, nearly
      for (const PrefillChunk& chunk : shape.prefill) {
        const double n = chunk.new_tokens;
        pairs += n * (2.0 * chunk.history + n);
      }
      const double sizes[] = {chunks / parts * heads_, std::sqrt(pairs / chunks)};
      const Operator op = operators_.PrefillAttention(shape.prefill);
      seconds.prefill = AttentionWork(op) / (parts * prefill_->grid.At(sizes));
    }
    return seconds;
  }

  std::string Source(const std::string& name) const override {
    const auto found = sources_.find(name);
    return found != sources_.end() ? found->second : roofline_->Source(name);
  }

  PriceQuality Quality(const std::string& name) const override {
    const auto found = errors_.find(name);
    if (found == errors_.end()) return {};
    if (found->second <= 0) return {.confidence = Confidence::kFitted};
    return {.confidence = Confidence::kFitted, .error = found->second};
  }

  bool measures() const override { return true; }

 private:
  double AttentionWork(const Operator& op) const {
    return std::max(op.flops * seconds_per_flop_, op.bytes * seconds_per_byte_);
  }

  static bool IsExperts(const Operator& op) {
    return op.kind == OperatorKind::kGemm && std::string_view(op.name).starts_with("expert_");
  }
  // Whether its time is in the experts' GEMMs.
  bool InMoeBlock(const Operator& op) const {
    const std::string_view name = op.name;
    return moe_ && (name == "expert_activation" || name == "expert_sum");
  }

  const Priced* SurfaceOf(const Operator& op) const {
    if (op.kind == OperatorKind::kAllReduce) return all_reduce_ ? &*all_reduce_ : nullptr;
    if (op.kind != OperatorKind::kGemm) return nullptr;
    if (IsExperts(op) && moe_) return &*moe_;
    return gemm_ ? &*gemm_ : nullptr;
  }

  void ListSources() {
    std::vector<Operator> operators;
    operators_.AppendDense(1, operators);
    operators_.AppendExperts(1, operators);
    operators_.AppendOutput(1, operators);
    for (const Operator& op : operators) {
      if (InMoeBlock(op)) List(op.name, "in the experts' GEMMs", moe_->error);
      const Priced* surface = SurfaceOf(op);
      if (surface == nullptr) continue;
      if (IsExperts(op) && !moe_) {
        sources_[op.name] = surface->source;  // of other kernels: nobody knows how good that is
      } else {
        List(op.name, surface->source, surface->error);
      }
    }
    if (prefill_) List("prefill_attention", prefill_->source, prefill_->error);
    if (decode_) List("decode_attention", decode_->source, decode_->error);
  }
  void List(const char* name, std::string source, double error) {
    sources_[name] = std::move(source);
    errors_[name] = error;
  }

  TransformerOperators operators_;
  std::unique_ptr<const OperatorPricer> roofline_;
  double gemm_seconds_per_flop_;
  double seconds_per_flop_;
  double seconds_per_byte_;
  double link_seconds_per_byte_;
  double devices_;
  double heads_;  // of one device
  double kv_heads_;
  // None: no surface.
  std::optional<Priced> gemm_;
  std::optional<Priced> moe_;         // by rows per expert and active experts
  std::optional<Priced> prefill_;     // by prompts x heads and length of a prompt
  std::optional<Priced> decode_;      // by sequences x KV heads and context
  std::optional<Priced> all_reduce_;  // by devices and bytes
  std::map<std::string, std::string, std::less<>> sources_;
  std::map<std::string, double, std::less<>> errors_;
};

}  // namespace

std::unique_ptr<const OperatorPricer> MakeKernelPricer(const TransformerConfig& model,
                                                       const DeviceConfig& device,
                                                       std::span<const EfficiencySurface> surfaces,
                                                       const ParallelismConfig& split) {
  return std::make_unique<KernelPricer>(model, device, surfaces, split);
}

extern constinit const BackendEntry kKernelsBackend = {
    {.name = "kernels",
     .description = "the roofline times the efficiency that kernels reach on the hardware"},
    {.needs_surfaces = true},
    [](const ParameterValues& /*values*/) -> BackendFactory::Maker {
      return [](const BackendContext& c) {
        return MakeOperatorModel(c, MakeKernelPricer(c.model, c.device, c.surfaces, c.split));
      };
    }};

}  // namespace tokensim
