// How many cases a test tries that could try any number of them.
//
//   for (uint64_t seed = 1; seed <= static_cast<uint64_t>(Cases(2'000)); ++seed) { ... }
//   EXPECT_GE(transfers, Cases(10'000));  // seen in all of them
//   for (const Deployment& d : Sample(deployments)) { ... }
//
// A build with sanitizers or coverage is 10 to 30 times slower (cmake/TokensimTargets.cmake defines
// TOKENSIM_INSTRUMENTED for its tests): there a test tries one case in kInstrumentedShare, and what
// it wants to have seen shrinks alike. TOKENSIM_PROPERTY_FACTOR=100 in the environment tries a
// hundred times as many, for a long run.
//
// For tests alone.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

namespace tokensim {

// `count`, of a plain build, in this one; at least 1.
[[nodiscard]] inline int64_t Cases(int64_t count) {
#ifdef TOKENSIM_INSTRUMENTED
  constexpr int64_t kInstrumentedShare = 8;
  count = std::max<int64_t>(1, count / kInstrumentedShare);
#endif
  const char* factor = std::getenv("TOKENSIM_PROPERTY_FACTOR");
  return factor == nullptr ? count : count * std::strtoll(factor, nullptr, 10);
}

// As many of `all` as this build tries, evenly spread.
template <typename T>
[[nodiscard]] std::vector<T> Sample(std::vector<T> all) {
  const auto size = static_cast<int64_t>(all.size());
  const int64_t count = Cases(size);
  if (count >= size) return all;
  std::vector<T> sample;
  for (int64_t i = 0; i < count; ++i) {
    sample.push_back(std::move(all[static_cast<size_t>(i * size / count)]));
  }
  return sample;
}

}  // namespace tokensim
