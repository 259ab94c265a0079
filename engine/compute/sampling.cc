#include "engine/compute/sampling.h"

namespace tokensim {
namespace {

// 16-bit logits in, 32-bit out, and those read for the greatest.
constexpr SamplerWork kOnePass = {"sampler", 2 + 4 + 4, 1};
// The same in the two kernels that do it.
constexpr SamplerWork kGreedy = {"sampler", 2 + 4 + 4, 2};
// Conversion 2 + 4, temperature 4 + 4, softmax 4 + 4 + 4, noise 4, quotient 4 + 4 + 4, greatest 4.
constexpr SamplerWork kRandom = {"sampler", 46, 6};
// PyTorch sorts 256 x 131,072 logits in 3.8 ms, 128 x 32,768 in 0.63 ms and one row in 0.1 ms: on an
// H100 (86 % of its bandwidth, 3.8 us a kernel) 318 bytes a logit and 26 kernels meet them within
// 12 %. Behind it gather and mask 4 + 4, softmax 12, cumulative sum 8, comparison 5, mask 8, scatter
// 16.
constexpr SamplerWork kSort = {"logits_filter", 318 + 57, 26 + 7};
// Softmax, and about eight reads until the threshold is found.
constexpr SamplerWork kPivot = {"logits_filter", 12 + 8 * 4 + 4, 2};
// Softmax, and about eight reads in rounds of rejection, which draw as well.
constexpr SamplerWork kRejection = {"logits_filter", 12 + 8 * 4, 2};
// Counts of output and prompt, 8 to clear and 9 to compare each; factors 4 + 5 + 4; logits scaled
// 17, less frequency 20 and presence 13.
constexpr SamplerWork kPenalties = {"penalties", 97, 12};
// Rows from which the search runs (vLLM pull request 33538).
constexpr int64_t kLeastPivotRows = 8;

}  // namespace

std::vector<SamplerWork> SamplerWorkOf(const SamplingConfig& sampling, int64_t rows) {
  std::vector<SamplerWork> work;
  if (sampling.penalties) work.push_back(kPenalties);
  switch (sampling.method) {
    case SamplingMethod::kUnknown:
      work.push_back(kOnePass);
      break;
    case SamplingMethod::kGreedy:
      work.push_back(kGreedy);
      break;
    case SamplingMethod::kRandom:
      work.push_back(kRandom);
      break;
    case SamplingMethod::kFiltered:
      if (sampling.filter == SamplingFilter::kFlashInfer) {
        work.push_back(kRejection);
        work.push_back(kGreedy);  // conversion and temperature
        break;
      }
      work.push_back(sampling.filter == SamplingFilter::kTriton && rows >= kLeastPivotRows ? kPivot
                                                                                           : kSort);
      work.push_back(kRandom);
      break;
  }
  return work;
}

}  // namespace tokensim
