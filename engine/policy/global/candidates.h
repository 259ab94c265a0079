// Looking through the candidates of a dispatch: the least of a signal, membership, their total.
//
// Mostly every worker is a candidate, so that a signal's whole array is looked through in order:
// these loops vectorise.
//
//   const int32_t worker = LeastCandidate(view.signals.outstanding, view);
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/policy/global/global_scheduler.h"

namespace tokensim {

[[nodiscard]] inline bool AllWorkers(const DispatchView& view) {
  return view.candidates.size() == view.signals.outstanding.size();
}

[[nodiscard]] inline bool IsCandidate(int32_t worker, const DispatchView& view) {
  return AllWorkers(view) ||
         std::binary_search(view.candidates.begin(), view.candidates.end(), worker);
}

// The least of the values; not empty. A cache line of independent lanes: with one, each step would
// wait for the last.
template <typename T>
[[nodiscard]] T Least(std::span<const T> values) {
  constexpr size_t kLanes = 64 / sizeof(T);
  T least[kLanes];
  std::fill_n(least, kLanes, values[0]);
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t j = 0; j < kLanes; ++j) {
      const T value = values[i + j];  // std::min, which gives references, would not vectorise
      least[j] = value < least[j] ? value : least[j];
    }
  }
  for (; i < values.size(); ++i) least[0] = std::min(least[0], values[i]);
  return *std::min_element(least, least + kLanes);
}

// Index of the first of the least values: two passes that vectorise, rather than one that does not.
template <typename T>
[[nodiscard]] int32_t FirstOfTheLeast(std::span<const T> values) {
  const T least = Least(values);
  return static_cast<int32_t>(std::find(values.begin(), values.end(), least) - values.begin());
}

// The candidate with the least value of a signal; ties: the first.
template <typename T>
[[nodiscard]] int32_t LeastCandidate(const std::vector<T>& signal, const DispatchView& view) {
  if (AllWorkers(view)) return FirstOfTheLeast(std::span<const T>(signal));
  int32_t best = view.candidates[0];
  T least = signal[static_cast<size_t>(best)];
  for (const int32_t worker : view.candidates) {
    const T value = signal[static_cast<size_t>(worker)];
    if (value < least) {
      least = value;
      best = worker;
    }
  }
  return best;
}

// Sum of a signal over the candidates.
[[nodiscard]] inline int64_t TotalOfCandidates(const std::vector<int32_t>& signal,
                                               const DispatchView& view) {
  int64_t total = 0;
  if (AllWorkers(view)) {
    for (const int32_t value : signal) total += value;
  } else {
    for (const int32_t worker : view.candidates) total += signal[static_cast<size_t>(worker)];
  }
  return total;
}

}  // namespace tokensim
