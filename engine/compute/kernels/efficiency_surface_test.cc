#include "engine/compute/kernels/efficiency_surface.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/base/invariant.h"

namespace tokensim {
namespace {

double At(const EfficiencyGrid& grid, std::initializer_list<double> sizes) {
  return grid.At({sizes.begin(), sizes.size()});
}

EfficiencySurface TwoByThree() {
  return {.kernel = SurfaceKernel::kAllReduce,
          .axes = {{"devices", {2, 8}}, {"bytes", {100, 1000, 100000}}},
          .efficiency = {0.01, 0.1, 0.5, 0.02, 0.2, 1.0}};
}

TEST(EfficiencySurfaceTest, PointsOfTheGridAreThemselves) {
  const EfficiencySurface surface = TwoByThree();
  const EfficiencyGrid grid(surface);
  size_t i = 0;
  for (const double devices : surface.axes[0].values) {
    for (const double bytes : surface.axes[1].values) {
      EXPECT_NEAR(At(grid, {devices, bytes}), surface.efficiency[i++], 1e-12);
    }
  }
}

// Halfway in the logarithm of a size is halfway in the logarithm of the share.
TEST(EfficiencySurfaceTest, IsLinearInLogarithms) {
  const EfficiencyGrid grid(TwoByThree());
  EXPECT_NEAR(At(grid, {2, 10000}), std::sqrt(0.1 * 0.5), 1e-12);
  EXPECT_NEAR(At(grid, {4, 100}), std::sqrt(0.01 * 0.02), 1e-12);
  EXPECT_NEAR(At(grid, {4, 10000}), std::sqrt(std::sqrt(0.1 * 0.5 * 0.2 * 1.0)), 1e-12);
  // A third of the way from 100 to 1000: 0.01 * (0.1 / 0.01)^(1/3).
  EXPECT_NEAR(At(grid, {2, 100 * std::cbrt(10)}), 0.01 * std::cbrt(10), 1e-12);
}

TEST(EfficiencySurfaceTest, TheEdgeGoesOnBeyondTheGrid) {
  const EfficiencyGrid grid(TwoByThree());
  EXPECT_NEAR(At(grid, {1, 1}), 0.01, 1e-12);
  EXPECT_NEAR(At(grid, {64, 1e12}), 1, 1e-12);
  EXPECT_NEAR(At(grid, {4, 1e12}), std::sqrt(0.5), 1e-12);
}

TEST(EfficiencySurfaceTest, ASliceIsTheGridAtOneSize) {
  const EfficiencySurface surface{
      .kernel = SurfaceKernel::kGemm,
      .axes = {{"rows", {1, 10, 100}}, {"outer", {5, 50}}, {"inner", {2, 20, 200, 300}}},
      .efficiency = {0.05, 0.11, 0.12, 0.32, 0.21, 0.22, 0.23, 0.99, 0.14, 0.15, 0.16, 0.46,
                     0.24, 0.25, 0.26, 0.56, 0.17, 0.18, 0.19, 0.09, 0.27, 0.28, 0.29, 0.09}};
  const EfficiencyGrid grid(surface);
  for (const double rows : {0.5, 1.0, 7.0, 100.0, 3000.0}) {
    for (const double outer : {3.0, 20.0, 50.0}) {
      for (const double inner : {2.0, 35.0, 250.0}) {
        const double expected = At(grid, {rows, outer, inner});
        EXPECT_NEAR(At(grid.Slice(0, rows), {outer, inner}), expected, 1e-12);
        EXPECT_NEAR(At(grid.Slice(1, outer), {rows, inner}), expected, 1e-12);
        EXPECT_NEAR(At(grid.Slice(2, inner).Slice(1, outer), {rows}), expected, 1e-12);
      }
    }
  }
}

TEST(EfficiencySurfaceTest, RefusesWhatIsNotASurface) {
  EfficiencySurface surface = TwoByThree();
  surface.efficiency.pop_back();
  EXPECT_THROW(EfficiencyGrid{surface}, InvariantError);
  surface = TwoByThree();
  surface.efficiency[2] = 1.01;
  EXPECT_THROW(EfficiencyGrid{surface}, InvariantError);
  surface = TwoByThree();
  surface.efficiency[2] = 0;
  EXPECT_THROW(EfficiencyGrid{surface}, InvariantError);
  surface = TwoByThree();
  surface.axes[0].values = {2, 2};
  EXPECT_THROW(EfficiencyGrid{surface}, InvariantError);
  surface = TwoByThree();
  surface.kernel = SurfaceKernel::kGemm;  // has three axes
  EXPECT_THROW(EfficiencyGrid{surface}, InvariantError);
}

TEST(EfficiencySurfaceTest, NamesAreThoseOfTheSchema) {
  for (const std::string_view name : SurfaceKernelNames()) {
    EXPECT_EQ(NameOf(FindSurfaceKernel(name).value()), name);
  }
  EXPECT_EQ(FindSurfaceKernel("GEMM"), std::nullopt);
  EXPECT_EQ(AxesOf(SurfaceKernel::kAllReduce)[1], "bytes");
}

}  // namespace
}  // namespace tokensim
