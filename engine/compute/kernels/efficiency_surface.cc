#include "engine/compute/kernels/efficiency_surface.h"

#include <array>
#include <iterator>

#include "engine/base/invariant.h"
#include "engine/base/math.h"
#include "engine/compute/profile/axis.h"

namespace tokensim {
namespace {

constexpr std::string_view kGemmAxes[] = {"rows", "outer", "inner"};
constexpr std::string_view kPrefillAxes[] = {"prompt_heads", "prompt", "group", "head_dim"};
constexpr std::string_view kDecodeAxes[] = {"sequence_kv_heads", "context", "group", "kv_heads",
                                            "head_dim"};
constexpr std::string_view kAllReduceAxes[] = {"devices", "bytes"};
constexpr std::string_view kMoeAxes[] = {"rows_per_expert", "active_experts", "hidden", "width"};

struct KernelInfo {
  SurfaceKernel kernel;
  std::string_view name;
  std::span<const std::string_view> axes;
};
constexpr KernelInfo kKernels[] = {
    {SurfaceKernel::kGemm, "gemm", kGemmAxes},
    {SurfaceKernel::kPrefillAttention, "prefill_attention", kPrefillAxes},
    {SurfaceKernel::kDecodeAttention, "decode_attention", kDecodeAxes},
    {SurfaceKernel::kAllReduce, "all_reduce", kAllReduceAxes},
    {SurfaceKernel::kMoe, "moe", kMoeAxes},
};
constexpr size_t kMaxAxes = std::size(kDecodeAxes);

const KernelInfo& InfoOf(SurfaceKernel kernel) { return kKernels[static_cast<size_t>(kernel)]; }

}  // namespace

std::optional<SurfaceKernel> FindSurfaceKernel(std::string_view name) {
  for (const KernelInfo& info : kKernels) {
    if (info.name == name) return info.kernel;
  }
  return std::nullopt;
}

std::string_view NameOf(SurfaceKernel kernel) { return InfoOf(kernel).name; }

std::vector<std::string_view> SurfaceKernelNames() {
  std::vector<std::string_view> names;
  for (const KernelInfo& info : kKernels) names.push_back(info.name);
  return names;
}

std::span<const std::string_view> AxesOf(SurfaceKernel kernel) { return InfoOf(kernel).axes; }

EfficiencyGrid::EfficiencyGrid(const EfficiencySurface& surface) {
  size_t points = 1;
  for (const SurfaceAxis& axis : surface.axes) {
    points *= axis.values.size();
    std::vector<double>& logs = axes_.emplace_back();
    for (const double value : axis.values) {
      TOKENSIM_INVARIANT(value > 0 && (logs.empty() || math::Log(value) > logs.back()),
                         "sizes of an axis descend");
      logs.push_back(math::Log(value));
    }
  }
  TOKENSIM_INVARIANT(axes_.size() == AxesOf(surface.kernel).size() && points > 0 &&
                         points == surface.efficiency.size(),
                     "a surface of the wrong size");
  for (const double share : surface.efficiency) {
    TOKENSIM_INVARIANT(share > 0 && share <= 1, "an efficiency out of range");
    logs_.push_back(math::Log(share));
  }
}

EfficiencyGrid EfficiencyGrid::Slice(size_t axis, double size) const {
  const AxisPosition p = Locate(axes_[axis], math::Log(size));
  size_t inner = 1;  // points of the axes behind
  for (size_t i = axis + 1; i < axes_.size(); ++i) inner *= axes_[i].size();
  EfficiencyGrid slice;
  slice.axes_ = axes_;
  slice.axes_.erase(slice.axes_.begin() + static_cast<std::ptrdiff_t>(axis));
  const size_t block = inner * axes_[axis].size();
  for (size_t start = 0; start < logs_.size(); start += block) {
    for (size_t i = 0; i < inner; ++i) {
      const size_t below = start + p.below * inner + i;
      const double low = logs_[below];
      slice.logs_.push_back(p.fraction == 0 ? low
                                            : low + p.fraction * (logs_[below + inner] - low));
    }
  }
  return slice;
}

double EfficiencyGrid::At(std::span<const double> sizes) const {
  // The corners of the cell, those of the axes before times two for this one.
  std::array<size_t, size_t{1} << kMaxAxes> corners;
  std::array<double, size_t{1} << kMaxAxes> weights;
  size_t count = 1;
  corners[0] = 0;
  weights[0] = 1;
  for (size_t axis = 0; axis < axes_.size(); ++axis) {
    const AxisPosition p = Locate(axes_[axis], math::Log(sizes[axis]));
    const size_t before = count;
    for (size_t i = 0; i < before; ++i) {
      const size_t below = corners[i] * axes_[axis].size() + p.below;
      corners[i] = below;
      if (p.fraction == 0) continue;
      corners[count] = below + 1;
      weights[count++] = weights[i] * p.fraction;
      weights[i] *= 1 - p.fraction;
    }
  }
  double log = 0;
  for (size_t i = 0; i < count; ++i) log += weights[i] * logs_[corners[i]];
  return math::Exp(log);
}

}  // namespace tokensim
