// What share of the roofline's speed a kernel reaches, by the sizes of the problem.
//
// Kernels do not run at peak: small problems leave processors idle and pay the launch, large ones
// come close. A surface holds the share, (0, 1], on a grid of sizes; between the points it is
// linear in the logarithm of every size and of the share, beyond the grid it is that of the edge
// (docs/kernels.md).
//
//   const EfficiencyGrid grid = EfficiencyGrid(gemm).Slice(2, 4096);  // one axis less
//   const double sizes[] = {128, 6144};
//   const double seconds = roofline_seconds / grid.At(sizes);  // never faster than the roofline
//
// Immutable but for assignment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/number_format.h"

namespace tokensim {

enum class SurfaceKernel : uint8_t {
  kGemm,              // rows, outer, inner
  kPrefillAttention,  // prompt_heads, prompt, group, head_dim
  kDecodeAttention,   // sequence_kv_heads, context, group, kv_heads, head_dim
  kAllReduce,         // devices, bytes
  kMoe,               // rows_per_expert, active_experts, hidden, width
};

struct SurfaceAxis {
  std::string name;
  std::vector<double> values;  // > 0, ascending
};

struct EfficiencySurface {
  SurfaceKernel kernel = SurfaceKernel::kGemm;
  NumberFormat format = NumberFormat::k16Bit;  // of the weights
  std::vector<SurfaceAxis> axes;   // those of the kernel, in that order
  std::vector<double> efficiency;  // one per point of the grid, last axis fastest
  std::string source;
  double error = 0;  // mean |relative error| of measurements held out
};

// gemm, prefill_attention...; none for another word.
[[nodiscard]] std::optional<SurfaceKernel> FindSurfaceKernel(std::string_view name);
[[nodiscard]] std::string_view NameOf(SurfaceKernel kernel);
[[nodiscard]] std::vector<std::string_view> SurfaceKernelNames();
// The axes that a surface of the kernel has.
[[nodiscard]] std::span<const std::string_view> AxesOf(SurfaceKernel kernel);

class EfficiencyGrid {
 public:
  // Of a surface whose sizes fit and whose figures are in range, else InvariantError.
  explicit EfficiencyGrid(const EfficiencySurface& surface);

  // The grid at one size of an axis, without that axis.
  [[nodiscard]] EfficiencyGrid Slice(size_t axis, double size) const;

  // `sizes`: one per axis. Exactly the share at a point of the grid, up to rounding.
  [[nodiscard]] double At(std::span<const double> sizes) const;

 private:
  EfficiencyGrid() = default;

  std::vector<std::vector<double>> axes_;  // logarithms
  std::vector<double> logs_;               // of the shares
};

}  // namespace tokensim
