// What a compute backend knows: how long one operator takes on one device of a worker.
//
// An IterationModel (iteration_model.h) asks it for the operators of TransformerOperators and puts
// the iteration together. Seconds() is called once for every operator and number of rows, and may
// take its time; Attention() is called for every iteration and is O(chunks).
//
// Immutable after construction, thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "engine/compute/compute_model.h"
#include "engine/compute/operators.h"

namespace tokensim {

// Of one layer.
struct AttentionSeconds {
  double prefill = 0;
  double decode = 0;

  [[nodiscard]] double sum() const { return prefill + decode; }
};

class OperatorPricer {
 public:
  virtual ~OperatorPricer() = default;

  // Seconds of one repeat of a dense, expert or output operator or a collective, its launch
  // included. >= 0, finite.
  [[nodiscard]] virtual double Seconds(const Operator& op) const = 0;

  // Attention of one of `parts` equal micro-batches of the iteration, in one layer, launches
  // included. A part that has no rows takes 0.
  [[nodiscard]] virtual AttentionSeconds Attention(const IterationShape& shape,
                                                   int32_t parts) const = 0;

  // Whether Attention depends on max_decode_context.
  [[nodiscard]] virtual bool WantsLongestContext() const { return false; }

  // Where the price of an operator (a name of TransformerOperators) comes from, for the report.
  [[nodiscard]] virtual std::string Source(const std::string& name) const = 0;
  // How good that price is.
  [[nodiscard]] virtual PriceQuality Quality(const std::string& /*name*/) const { return {}; }
  // Whether it prices by measurements what it has measurements of.
  [[nodiscard]] virtual bool measures() const { return false; }
};

}  // namespace tokensim
