// The traffic of a run: when requests arrive and how long they are.
//
// A Workload is an immutable description, shared by any number of runs. MakeRequestSource draws
// from it; arrivals and lengths use their own random streams ("arrival", "length"), so changing one
// leaves the other's draws alone.
//
//   auto source = MakeRequestSource(workload, seed);
//   RequestInput request;
//   while (source->Next(&request)) ...
//
// Thread-safety: Workload is const; a RequestSource belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "engine/base/time.h"

namespace tokensim {

// ---- Arrivals

struct PoissonArrivals {
  double rate_per_second = 0;  // > 0
};
struct ConstantArrivals {
  double rate_per_second = 0;  // > 0; the first request at 0
};
// num_requests independent uniform times in [start, end], in order.
struct UniformArrivals {
  double start_seconds = 0;
  double end_seconds = 0;
};
// `size` requests at once, every `interval_seconds`, from time 0.
struct BurstArrivals {
  int64_t size = 1;  // >= 1
  double interval_seconds = 0;
};
// The trace's times divided by speedup. Past its last row the trace repeats, shifted by its span
// plus its mean gap.
struct TraceArrivals {
  double speedup = 1;  // > 0
};
using Arrivals =
    std::variant<PoissonArrivals, ConstantArrivals, UniformArrivals, BurstArrivals, TraceArrivals>;

// ---- Lengths, in tokens, >= 1

struct FixedLength {
  int32_t tokens = 1;
};
// Integers in [min, max], both included, equally likely.
struct UniformLength {
  int32_t min = 1;
  int32_t max = 1;
};
// round(median * exp(sigma * Z)) clamped to [min, max].
struct LogNormalLength {
  double median = 1;
  double sigma = 0;
  int32_t min = 1;
  int32_t max = 1'000'000;
};
// Inverse distribution function, linear between its points; rounded, at least 1.
struct QuantileTable {
  std::vector<double> probabilities;  // increasing, first 0, last 1
  std::vector<double> values;         // non-decreasing, as many
};
using LengthDistribution = std::variant<FixedLength, UniformLength, LogNormalLength, QuantileTable>;

struct IndependentLengths {
  LengthDistribution input;
  LengthDistribution output;
};
// An input distribution and, for each range of inputs, the output distribution met there.
struct JointLengths {
  struct Bin {
    int32_t max_input = 0;  // the last bin's covers every input
    QuantileTable output;
  };
  QuantileTable input;
  std::vector<Bin> bins;  // by increasing max_input, not empty
};
// The trace's pairs: row i for request i (wrapping around), or drawn with replacement.
struct TraceLengths {
  bool resample = false;
};
using Lengths = std::variant<IndependentLengths, JointLengths, TraceLengths>;

// Columns of a measured trace, of equal length.
struct TraceTable {
  std::vector<SimTime> arrival;        // from the first row, non-decreasing; empty: no timestamps
  std::vector<int32_t> input_tokens;   // >= 1
  std::vector<int32_t> output_tokens;  // >= 1

  [[nodiscard]] int64_t size() const { return static_cast<int64_t>(input_tokens.size()); }
};

struct Workload {
  int64_t num_requests = 0;  // >= 1
  Arrivals arrivals;
  Lengths lengths;
  std::shared_ptr<const TraceTable> trace;  // set when arrivals or lengths use it; not empty
};

struct RequestInput {
  SimTime arrival = 0;
  int32_t input_tokens = 1;
  int32_t output_tokens = 1;
};

// Requests in order of arrival.
class RequestSource {
 public:
  virtual ~RequestSource() = default;
  // False after the last request.
  virtual bool Next(RequestInput* request) = 0;
};

[[nodiscard]] std::unique_ptr<RequestSource> MakeRequestSource(const Workload& workload,
                                                               uint64_t seed);

}  // namespace tokensim
