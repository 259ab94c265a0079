#include "engine/compute/kernels/kernel_pricer.h"

#include <algorithm>
#include <array>
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
#include "engine/hardware/peak.h"

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
                           NumberFormat format, std::span<const double> fixed = {}) {
  for (const EfficiencySurface& surface : surfaces) {
    if (surface.kernel != kernel || surface.format != format) continue;
    EfficiencyGrid grid(surface);
    size_t axis = surface.axes.size();
    for (size_t i = fixed.size(); i-- > 0;) grid = grid.Slice(--axis, fixed[i]);
    return Priced{std::move(grid), "kernel surface: " + surface.source, surface.error};
  }
  return std::nullopt;
}

// fp8 weights with scales of blocks are multiplied by the same units as those without.
std::optional<Priced> FindWeights(std::span<const EfficiencySurface> surfaces, SurfaceKernel kernel,
                                  NumberFormat format, std::span<const double> fixed = {}) {
  std::optional<Priced> found = Find(surfaces, kernel, format, fixed);
  if (!found && format == NumberFormat::kFp8Block) {
    found = Find(surfaces, kernel, NumberFormat::kFp8, fixed);
  }
  return found;
}

class KernelPricer final : public OperatorPricer {
 public:
  KernelPricer(const Model& model, const DeviceConfig& device,
               std::span<const EfficiencySurface> surfaces, const ParallelismConfig& split)
      : operators_(model, split),
        roofline_(MakeRooflinePricer(model, device, split)),
        seconds_per_flop_(SecondsPerFlop(device, /*efficiency=*/1)),
        seconds_per_byte_(1 / device.memory_bandwidth_bytes_per_second),
        link_seconds_per_byte_(1 / device.interconnect.bandwidth_bytes_per_second),
        devices_(split.tensor),
        heads_(operators_.shard().heads),
        kv_heads_(operators_.shard().kv_heads) {
    // 16-bit attention and all-reduce whatever the weights are.
    constexpr NumberFormat kActivations = NumberFormat::k16Bit;
    if (operators_.plain()) {
      const double group = heads_ / kv_heads_;
      const double head_dim = model.groups.front().attention.head_dim;
      const double prefill[] = {group, head_dim};
      const double decode[] = {group, kv_heads_, head_dim};
      prefill_ = Find(surfaces, SurfaceKernel::kPrefillAttention, kActivations, prefill);
      decode_ = Find(surfaces, SurfaceKernel::kDecodeAttention, kActivations, decode);
    }
    if (devices_ > 1) all_reduce_ = Find(surfaces, SurfaceKernel::kAllReduce, kActivations);
    if (const LayerGroup* layers = model.experts()) {
      const double rows = layers->mlp.latent > 0 ? layers->mlp.latent : model.hidden_size;
      const double moe[] = {rows, 1.0 * ShardOf(*layers, split).width};
      moe_ = FindWeights(surfaces, SurfaceKernel::kMoe, model.formats.experts.number, moe);
    }
    FindGemms(surfaces);
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
    const double work = Work(op);
    const double rows = op.rows / op.matrices;
    if (IsExperts(op) && moe_) {
      const double sizes[] = {rows, op.matrices};
      return work / surface->grid.At(sizes);
    }
    const double sizes[] = {rows, op.outer * op.matrices, op.inner};
    return work / surface->grid.At(sizes);
  }

  AttentionSeconds Attention(const IterationShape& shape, int32_t parts) const override {
    if (!operators_.plain()) return roofline_->Attention(shape, parts);
    AttentionSeconds seconds;
    const bool priced = prefill_ && decode_;
    if (!priced) seconds = roofline_->Attention(shape, parts);
    if (shape.decode_count > 0 && decode_) {
      const double count = shape.decode_count;
      const double sizes[] = {count / parts * kv_heads_,
                              static_cast<double>(shape.decode_context) / count};
      const Operator op = operators_.DecodeAttention(shape.decode_count, shape.decode_context);
      seconds.decode = Work(op) / (parts * decode_->grid.At(sizes));
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
      seconds.prefill = Work(op) / (parts * prefill_->grid.At(sizes));
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
  // One surface for each format that some operator has.
  void FindGemms(std::span<const EfficiencySurface> surfaces) {
    for (const Operator& op : Listed()) {
      if (op.kind != OperatorKind::kGemm) continue;
      std::optional<Priced>& gemm = gemms_[static_cast<size_t>(op.format.number)];
      if (!gemm) gemm = FindWeights(surfaces, SurfaceKernel::kGemm, op.format.number);
    }
  }
  const Priced* Gemm(const Operator& op) const {
    const std::optional<Priced>& gemm = gemms_[static_cast<size_t>(op.format.number)];
    return gemm ? &*gemm : nullptr;
  }
  std::vector<Operator> Listed() const {
    std::vector<Operator> operators;
    operators_.AppendDense(1, operators);
    operators_.AppendExperts(1, operators);
    operators_.AppendOutput(1, operators);
    return operators;
  }

  double Work(const Operator& op) const {
    return std::max(op.flops * seconds_per_flop_[static_cast<size_t>(op.format.number)],
                    op.bytes * seconds_per_byte_);
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
    return Gemm(op);
  }

  void ListSources() {
    for (const Operator& op : Listed()) {
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
  std::array<double, kNumberFormats> seconds_per_flop_;  // by NumberFormat
  double seconds_per_byte_;
  double link_seconds_per_byte_;
  double devices_;
  double heads_;  // of one device
  double kv_heads_;
  // None: no surface.
  std::array<std::optional<Priced>, kNumberFormats> gemms_;  // by NumberFormat
  std::optional<Priced> moe_;         // by rows per expert and active experts
  std::optional<Priced> prefill_;     // by prompts x heads and length of a prompt
  std::optional<Priced> decode_;      // by sequences x KV heads and context
  std::optional<Priced> all_reduce_;  // by devices and bytes
  std::map<std::string, std::string, std::less<>> sources_;
  std::map<std::string, double, std::less<>> errors_;
};

}  // namespace

std::unique_ptr<const OperatorPricer> MakeKernelPricer(const Model& model,
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
