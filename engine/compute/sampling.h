// What choosing the next token costs: kernels that pass over rows x vocabulary.
//
//   for (const SamplerWork& work : SamplerWorkOf({.method = SamplingMethod::kFiltered}, rows)) ...
//
// A pass reads or writes each logit so many bytes; kernels start one after the other, outside of
// CUDA graphs. Bytes count the tensors that the operators of the engine read and write (vLLM
// vllm/v1/sample, docs/compute.md derives them); the sort is fitted to public figures of PyTorch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tokensim {

enum class SamplingMethod : uint8_t {
  kUnknown,   // nothing is said: one pass over the logits
  kGreedy,    // the most likely token
  kRandom,    // drawn from all
  kFiltered,  // drawn from those that top-k or top-p leaves
};

// How the engine filters.
enum class SamplingFilter : uint8_t {
  kSort,        // the whole vocabulary, in PyTorch: vLLM up to 0.16
  kTriton,      // a search for the threshold, of 8 rows and more; else kSort: vLLM 0.17 on
  kFlashInfer,  // rejection sampling: vLLM 0.21 on
};

struct SamplingConfig {
  SamplingMethod method = SamplingMethod::kUnknown;
  SamplingFilter filter = SamplingFilter::kFlashInfer;
  bool penalties = false;
};

// An operator of the sampler.
struct SamplerWork {
  const char* name = "";  // penalties, logits_filter, sampler
  double bytes_per_logit = 0;
  double kernels = 1;
};

// In the order they run; of `rows` >= 1.
[[nodiscard]] std::vector<SamplerWork> SamplerWorkOf(const SamplingConfig& sampling, int64_t rows);

}  // namespace tokensim
