#include "engine/io/plan/features/kernels.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/io/plan/features/model_plan.h"
#include "engine/io/plan/fields.h"
#include "engine/io/presets/catalog.h"

namespace tokensim {
namespace {

constexpr int kMaxSurfaces = 32;
constexpr int kMaxAxisPoints = 100;
constexpr int64_t kMaxPoints = 100'000;

// Whether it is one of the axes of its kernel, in order, with ascending values.
bool CheckAxes(const Checker& check, const v1::EfficiencySurface& surface, SurfaceKernel kernel) {
  const auto names = AxesOf(kernel);
  bool same = static_cast<size_t>(surface.axes_size()) == names.size();
  for (int i = 0; same && i < surface.axes_size(); ++i) {
    same = surface.axes(i).name() == names[static_cast<size_t>(i)];
  }
  if (!same) {
    check.Error("axes", absl::StrCat("of ", surface.kernel(), " are ",
                                     absl::StrJoin(names, ", ",
                                                   [](std::string* out, std::string_view name) {
                                                     out->append(name);
                                                   }),
                                     ", in this order"));
    return false;
  }
  for (int i = 0; i < surface.axes_size(); ++i) {
    const auto& values = surface.axes(i).values();
    const std::string field = absl::StrCat("axes[", i, "].values");
    if (!check.Range(field, values.size(), 1, kMaxAxisPoints)) return false;
    for (int j = 0; j < values.size(); ++j) {
      const double below = j == 0 ? 0 : values[j - 1];
      if (values[j] > below && values[j] < 1e15) continue;
      check.Error(absl::StrCat(field, "[", j, "]"),
                  absl::StrCat("is ", values[j], "; it must be above ", below));
      return false;
    }
  }
  return true;
}

void CheckSurface(const Checker& check, const v1::EfficiencySurface& surface) {
  check.Length("source", surface.source(), 4'000);
  const auto kernel = FindSurfaceKernel(surface.kernel());
  if (!kernel) {
    std::vector<std::string> names;
    for (const std::string_view name : SurfaceKernelNames()) names.emplace_back(name);
    check.NotFound("kernel", "kernel", surface.kernel(), names, kSpecInvalid);
    return;
  }
  if (!CheckAxes(check, surface, *kernel)) return;
  int64_t points = 1;
  for (const v1::Axis& axis : surface.axes()) {
    points *= axis.values_size();
    if (points > kMaxPoints) break;
  }
  if (!check.Range("axes", points, 1, kMaxPoints)) return;
  if (points != surface.efficiency_size()) {
    check.Error("efficiency", absl::StrCat("has ", surface.efficiency_size(),
                                           " entries; the grid of its axes has ", points));
    return;
  }
  for (int i = 0; i < surface.efficiency_size(); ++i) {
    const float share = surface.efficiency(i);
    if (share > 0 && share <= 1) continue;
    check.Positive(absl::StrCat("efficiency[", i, "]"), share, 1);
    return;
  }
}

void CheckSurfaces(const Checker& check, const v1::Hardware& hardware) {
  if (!check.Range("kernels", hardware.kernels_size(), 1, kMaxSurfaces)) return;
  for (int i = 0; i < hardware.kernels_size(); ++i) {
    CheckSurface(Checker(check.findings(), check.Path(absl::StrCat("kernels[", i, "]"))),
                 hardware.kernels(i));
  }
}

}  // namespace

bool HasSurfaces(const v1::Hardware& hardware) {
  return hardware.kernels_size() > 0 || FindKernelPreset(hardware.preset()) != nullptr;
}

void ResolveKernels(const Checker& check, bool used, v1::Hardware* hardware) {
  if (hardware->kernels_size() > 0) {
    CheckSurfaces(check, *hardware);
    if (!used) RemoveUnused(check, "kernels", "it needs `compute: {kernels: {}}`", hardware);
  } else if (used) {
    check.Missing("kernels",
                  "is missing: the compute model `kernels` needs measured efficiencies; "
                  "use roofline, or hardware that has them");
  }
}

std::vector<EfficiencySurface> ToSurfaces(const v1::Hardware& hardware) {
  std::vector<EfficiencySurface> surfaces;
  for (const v1::EfficiencySurface& from : hardware.kernels()) {
    EfficiencySurface& to = surfaces.emplace_back();
    to.kernel = *FindSurfaceKernel(from.kernel());
    if (from.has_dtype()) to.format = FormatOf(from.dtype());
    for (const v1::Axis& axis : from.axes()) {
      to.axes.push_back({axis.name(), {axis.values().begin(), axis.values().end()}});
    }
    to.efficiency.assign(from.efficiency().begin(), from.efficiency().end());
    to.source = from.source();
    to.error = from.error();
  }
  return surfaces;
}

}  // namespace tokensim
