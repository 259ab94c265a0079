#include "engine/report/percentiles.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace tokensim {
namespace {

// Independent partial sums let the additions overlap without leaving their order to the compiler.
constexpr size_t kLanes = 8;
constexpr size_t kBins = 2048;
// Below this size sorting is cheaper than counting.
constexpr size_t kSortedSize = 256;

struct Extremes {
  double min = 0;
  double max = 0;
};

template <typename Term>
double SumOf(std::span<const double> samples, Term term) {
  std::array<double, kLanes> lanes{};
  size_t i = 0;
  for (; i + kLanes <= samples.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(samples[i + lane]);
  }
  for (size_t lane = 0; i < samples.size(); ++i, ++lane) lanes[lane] += term(samples[i]);
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

Extremes ExtremesOf(std::span<const double> samples) {
  std::array<double, kLanes> low;
  std::array<double, kLanes> high;
  low.fill(samples[0]);
  high.fill(samples[0]);
  size_t i = 0;
  for (; i + kLanes <= samples.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const double x = samples[i + lane];
      low[lane] = x < low[lane] ? x : low[lane];
      high[lane] = x > high[lane] ? x : high[lane];
    }
  }
  for (; i < samples.size(); ++i) {
    low[0] = std::min(low[0], samples[i]);
    high[0] = std::max(high[0], samples[i]);
  }
  return {*std::min_element(low.begin(), low.end()), *std::max_element(high.begin(), high.end())};
}

struct Wanted {
  size_t rank = 0;
  double* value = nullptr;
};

// Finds order statistics; `wanted` is sorted by rank.
void Select(std::span<const double> samples, Extremes extremes, std::span<const Wanted> wanted);

void SelectBySorting(std::span<const double> samples, std::span<const Wanted> wanted) {
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  for (const Wanted& w : wanted) *w.value = sorted[w.rank];
}

// A bin that holds wanted ranks: `below` samples are in lower bins.
struct Group {
  size_t below = 0;
  size_t size = 0;
  std::span<const Wanted> wanted;
};

void SelectByCounting(std::span<const double> samples, Extremes extremes, double scale,
                      std::span<const Wanted> wanted) {
  // The bin never decreases as the sample grows, whatever the rounding: order is kept.
  const auto bin_of = [&](double x) { return static_cast<size_t>((x - extremes.min) * scale); };
  std::vector<uint16_t> bins(samples.size());
  std::array<uint32_t, kBins> counts{};
  for (size_t i = 0; i < samples.size(); ++i) {
    const size_t bin = bin_of(samples[i]);
    bins[i] = static_cast<uint16_t>(bin);
    ++counts[bin];
  }
  std::vector<Group> groups;
  std::array<uint8_t, kBins> group_of{};  // 0: no rank wanted here; else 1 + index in groups
  size_t below = 0;
  for (size_t bin = 0, next = 0; bin < kBins && next < wanted.size(); ++bin) {
    const size_t end = below + counts[bin];
    const size_t first = next;
    while (next < wanted.size() && wanted[next].rank < end) ++next;
    if (next > first) {
      groups.push_back({below, counts[bin], wanted.subspan(first, next - first)});
      group_of[bin] = static_cast<uint8_t>(groups.size());
    }
    below = end;
  }
  std::vector<std::vector<double>> members(groups.size());
  for (size_t g = 0; g < groups.size(); ++g) members[g].reserve(groups[g].size);
  for (size_t i = 0; i < samples.size(); ++i) {
    const uint8_t group = group_of[bins[i]];
    if (group != 0) members[group - 1].push_back(samples[i]);
  }
  for (size_t g = 0; g < groups.size(); ++g) {
    std::vector<Wanted> inner(groups[g].wanted.begin(), groups[g].wanted.end());
    for (Wanted& w : inner) w.rank -= groups[g].below;
    Select(members[g], ExtremesOf(members[g]), inner);
  }
}

void Select(std::span<const double> samples, Extremes extremes, std::span<const Wanted> wanted) {
  if (extremes.min == extremes.max) {
    for (const Wanted& w : wanted) *w.value = extremes.min;
    return;
  }
  // The minimum falls into bin 0 and the maximum into the last: every level makes progress.
  const double scale = static_cast<double>(kBins - 1) / (extremes.max - extremes.min);
  if (samples.size() <= kSortedSize || !std::isfinite(scale)) {
    SelectBySorting(samples, wanted);
  } else {
    SelectByCounting(samples, extremes, scale, wanted);
  }
}

template <size_t N>
std::array<double, N> PercentilesOf(std::span<const double> samples, Extremes extremes,
                                    const std::array<double, N>& increasing_percents) {
  const size_t last = samples.size() - 1;
  std::array<double, 2 * N> values{};
  std::array<Wanted, 2 * N> wanted;
  std::array<double, N> fractions;
  for (size_t i = 0; i < N; ++i) {
    const double position = increasing_percents[i] / 100 * static_cast<double>(last);
    const size_t rank = std::min(static_cast<size_t>(position), last);
    fractions[i] = position - static_cast<double>(rank);
    wanted[2 * i] = {rank, &values[2 * i]};
    wanted[2 * i + 1] = {std::min(rank + 1, last), &values[2 * i + 1]};
  }
  std::sort(wanted.begin(), wanted.end(),
            [](const Wanted& a, const Wanted& b) { return a.rank < b.rank; });
  Select(samples, extremes, wanted);
  std::array<double, N> result;
  for (size_t i = 0; i < N; ++i) {
    result[i] = values[2 * i] + (values[2 * i + 1] - values[2 * i]) * fractions[i];
  }
  return result;
}

}  // namespace

Distribution Summarize(std::span<const double> samples) {
  Distribution d;
  if (samples.empty()) return d;
  const double count = static_cast<double>(samples.size());
  const Extremes extremes = ExtremesOf(samples);
  d.count = static_cast<int64_t>(samples.size());
  d.min = extremes.min;
  d.max = extremes.max;
  d.mean = std::clamp(SumOf(samples, [](double x) { return x; }) / count, d.min, d.max);
  const double mean = d.mean;
  d.stddev =
      std::sqrt(SumOf(samples, [mean](double x) { return (x - mean) * (x - mean); }) / count);
  const auto percentiles = PercentilesOf<4>(samples, extremes, {50, 90, 95, 99});
  d.p50 = percentiles[0];
  d.p90 = percentiles[1];
  d.p95 = percentiles[2];
  d.p99 = percentiles[3];
  return d;
}

double Percentile(std::span<const double> samples, double percent) {
  if (samples.empty()) return 0;
  return PercentilesOf<1>(samples, ExtremesOf(samples), {percent})[0];
}

}  // namespace tokensim
