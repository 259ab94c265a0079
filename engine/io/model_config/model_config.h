// Reads a model out of its config.json as on Hugging Face.
//
//   absl::StatusOr<v1::Model> model = ReadModelConfig(text);
//   absl::StatusOr<v1::Model> fp8 = ReadModelConfig(text, {.weight_dtype = v1::DATA_TYPE_FP8});
//
// Understood are the architectures of ModelConfigTypes(), each by a file of its own beside this one.
// What is read: layers as groups, or the short form where they are alike; types of weights by
// quantization_config and hf_quant_config.json; vocabulary, ends and the longest context. Towers of
// vision and sound are left out, layers of multi-token prediction are counted apart.
//
// Errors are INVALID_ARGUMENT: no JSON, an architecture that is not understood, fields that are
// missing or no good, all of them. Texts may be anything; their size is bounded. Thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

inline constexpr size_t kMaxModelConfigBytes = 8 << 20;

struct ModelConfigOptions {
  std::string_view quantization;  // text of hf_quant_config.json; empty: there is none
  v1::DataType weight_dtype = v1::DATA_TYPE_UNSPECIFIED;  // of all matrices of layers, if given
};

[[nodiscard]] absl::StatusOr<v1::Model> ReadModelConfig(std::string_view text,
                                                        const ModelConfigOptions& options = {});

// Every model_type that is understood, sorted.
[[nodiscard]] std::vector<std::string> ModelConfigTypes();

}  // namespace tokensim
