// Time of one forward pass of a worker.
//
// A scheduler describes the batch by aggregates, never by walking its decodes: see IterationShape.
// Models are immutable after construction and may be shared between threads and runs.
//
//   const double seconds = model.IterationSeconds(shape);
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tokensim {

// A piece of one prompt computed in this iteration.
struct PrefillChunk {
  int32_t new_tokens = 0;  // >= 1
  int32_t history = 0;     // tokens of the request already in the KV cache
};

// What some layers let a query attend to: the last `tokens`, itself included, or those of its chunk of
// that size.
struct AttentionWindow {
  int32_t tokens = 0;
  bool chunked = false;

  bool operator==(const AttentionWindow&) const = default;
};

// The sum over the decodes of the tokens attended through a window.
struct WindowContext {
  AttentionWindow window;
  int64_t context = 0;
};

struct IterationShape {
  int32_t decode_count = 0;        // sequences that decode one token
  int64_t decode_context = 0;      // sum over them of the tokens attended, the new one included
  int64_t max_decode_context = 0;  // the longest of them; 0: not known
  int32_t padding_count = 0;       // finished rows a static batch still computes, without attention
  int32_t sampled_count = 0;       // rows of the LM head and sampler: decodes, padding and prompts
                                   // that end in this iteration
  int64_t prefill_tokens = 0;      // sum of new_tokens
  int64_t gathered_tokens = 0;     // rows of the experts: of all ranks in lock-step; 0: tokens()
  std::span<const PrefillChunk> prefill;
  // Of ComputeModel::Windows(). Of a window that is not there the sum is taken to be that of
  // sequences of the mean context, which is never too small.
  std::span<const WindowContext> windows;

  // Rows of the dense operators.
  [[nodiscard]] int64_t tokens() const { return decode_count + padding_count + prefill_tokens; }
};

// How far the price of an operator can be trusted.
enum class Confidence : uint8_t {
  kMeasured,  // it was measured on this device, at these sizes or between them
  kFitted,    // a fit to measurements of this device
  kAssumed,   // a formula with figures of the device
};
struct PriceQuality {
  Confidence confidence = Confidence::kAssumed;
  std::optional<double> error;  // expected, as a share; none: not known
};

// What the time of an operator is taken from, for reports.
struct OperatorSource {
  std::string name;
  std::string source;
  PriceQuality quality;
  // Others of this model have measurements; this one computes or communicates, and has none.
  bool lacks_measurement = false;
};

// When an operator runs, from the start of the iteration.
struct OperatorTime {
  const char* name = "";  // lives as long as the program
  int32_t layer = -1;     // -1: before or after the layers
  double start_seconds = 0;
  double seconds = 0;

  [[nodiscard]] double end_seconds() const { return start_seconds + seconds; }
};

class ComputeModel {
 public:
  virtual ~ComputeModel() = default;
  // Seconds > 0, finite. Deterministic in the shape; chunks are added in order.
  [[nodiscard]] virtual double IterationSeconds(const IterationShape& shape) const = 0;

  // Whether max_decode_context makes a difference: it costs something to know.
  [[nodiscard]] virtual bool WantsLongestContext() const { return false; }

  // The windows that IterationShape.windows should have, each once; of most models none.
  [[nodiscard]] virtual std::vector<AttentionWindow> Windows() const { return {}; }

  // The operators of the iteration in the order they run, one entry per layer; the last ends at
  // IterationSeconds, up to rounding. For breakpoints: slow. A model that knows no operators has
  // one, the iteration.
  [[nodiscard]] virtual std::vector<OperatorTime> OperatorTimes(const IterationShape& shape) const {
    return {{.name = kWholeIteration, .seconds = IterationSeconds(shape)}};
  }
  // What prices each operator, in the order they run.
  [[nodiscard]] virtual std::vector<OperatorSource> Sources() const {
    return {{kWholeIteration, "formula", {}}};
  }
  // Every name that OperatorTimes may give, in the order they run.
  [[nodiscard]] virtual std::vector<std::string> OperatorNames() const { return {kWholeIteration}; }

 private:
  static constexpr char kWholeIteration[] = "iteration";
};

}  // namespace tokensim
