// A resolved Model message as plain data. Internal to engine/io.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/number_format.h"
#include "engine/model/model.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Whether every figure of it is known.
[[nodiscard]] bool ModelIsKnown(const v1::Model& resolved);

// Of a resolved model that is known; figures that are not are 0.
[[nodiscard]] Model ToModel(const v1::Model& resolved, v1::DataType kv_dtype);

// Bytes of one value, and of its share of scales.
[[nodiscard]] double BytesPerElement(v1::DataType type);
// What it is multiplied as.
[[nodiscard]] NumberFormat FormatOf(v1::DataType type);

// Every group of its layers, the whole model's when it names none. The attention and MLP of a
// resolved group have all their fields.
[[nodiscard]] std::vector<v1::LayerGroup> LayerGroupsOf(const v1::Model& resolved);

// Of checks: every attention with heads, and every number of experts, that parallelism must divide.
struct SplitSizes {
  std::vector<int32_t> heads;     // of attention and of linear states
  std::vector<int32_t> kv_heads;  // may be fewer than devices
  std::vector<int32_t> experts;
};
[[nodiscard]] SplitSizes SplitSizesOf(const v1::Model& resolved);

}  // namespace tokensim
