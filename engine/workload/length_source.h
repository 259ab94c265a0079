// How long requests are: the interfaces of length distributions, which give one length, and of
// length sources, which give the input and the output of a request.
//
// A source draws from one stream, "length" unless it is told another, and nothing else, so that
// whoever asks for lengths ahead changes nothing. Both kinds are in engine/workload/lengths, one
// file each; length_registry.h finds them by name. docs/workloads.md.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "engine/base/registry.h"
#include "engine/base/rng.h"
#include "engine/workload/workload.h"

namespace tokensim {

inline constexpr const char kLengthStream[] = "length";
inline constexpr int32_t kMaxTokens = 1'000'000'000;   // input + output fit an int32
inline constexpr int32_t kUsualMaxTokens = 1'000'000;  // of distributions without an end

// `tokens` rounded and clamped to [min, max].
inline int32_t RoundLength(double tokens, int32_t min, int32_t max) {
  const double clamped = std::clamp(tokens, static_cast<double>(min), static_cast<double>(max));
  return static_cast<int32_t>(clamped + 0.5);
}

// ---- Distributions

class LengthSampler {
 public:
  virtual ~LengthSampler() = default;
  // Tokens, >= 1.
  [[nodiscard]] virtual int32_t Draw(RngStream& rng) const = 0;
};

struct LengthSamplerTraits {
  // No length is below it. Left out: 1.
  int64_t (*shortest)(const ParameterValues& values) = nullptr;
  // Sets what depends on other parameters when it is left out.
  void (*complete)(ParameterValues* values) = nullptr;
};
// Needed only until the sampler is made.
struct LengthSamplerContext {
  const QuantileTable& table;  // empty: none was given
};
class LengthSamplerFactory
    : public PolicyFactory<LengthSampler, LengthSamplerTraits, LengthSamplerContext> {
 public:
  using PolicyFactory::PolicyFactory;
};
using LengthSamplerEntry = PolicyEntry<LengthSamplerFactory>;
using LengthSamplerRegistry = PolicyRegistry<LengthSamplerFactory>;

// ---- Sources

struct LengthDraw {
  int32_t input = 1;
  int32_t output = 1;
  int64_t row = -1;  // of the trace that they are from; -1: of none
};

class LengthSource {
 public:
  virtual ~LengthSource() = default;
  // The next lengths. Called for many at once, because it runs for every request.
  virtual void Fill(std::span<LengthDraw> draws) = 0;
};

struct LengthSourceTraits {
  // Whether request i is row i of the trace, so that rows may form conversations. Left out: no.
  bool (*rows_in_order)(const ParameterValues& values) = nullptr;
};
// Needed only until the source is made.
struct LengthSourceContext {
  const Lengths& lengths;
  std::shared_ptr<const TraceTable> trace;
  uint64_t seed = 0;
  std::string_view stream = kLengthStream;
};
class LengthSourceFactory
    : public PolicyFactory<LengthSource, LengthSourceTraits, LengthSourceContext> {
 public:
  using PolicyFactory::PolicyFactory;

  [[nodiscard]] bool rows_in_order() const {
    return traits().rows_in_order != nullptr && traits().rows_in_order(values());
  }
};
using LengthSourceEntry = PolicyEntry<LengthSourceFactory>;
using LengthSourceRegistry = PolicyRegistry<LengthSourceFactory>;

}  // namespace tokensim
