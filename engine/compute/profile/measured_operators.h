// Which measurements of a profile price which operator of a transformer.
//
// A profile names operators as its engine does, and measures some that TransformerOperators counts
// with a neighbour: the norms of queries and keys and the rotary embedding are priced with the
// projection before them, and the whole block of experts with the first of its GEMMs.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tokensim {

enum class MeasuredTable : uint8_t { kDense, kPerSequence, kMoe };

struct MeasuredOperator {
  std::string_view name;  // of TransformerOperators
  MeasuredTable table;
  std::string_view layer;  // in the profile; empty: its time is in another operator's
  // Their times, where there are any, are added.
  std::span<const std::string_view> with = {};
};

// Null: never measured.
[[nodiscard]] const MeasuredOperator* FindMeasuredOperator(std::string_view name);

}  // namespace tokensim
