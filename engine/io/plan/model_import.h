// A model out of the config.json of a checkpoint, as a file, with the sizes that follow from it.
//
//   absl::StatusOr<ImportedModel> model = ImportModel("Qwen3-32B/config.json");
//   const int64_t parameters = ParameterCount(model->model);
//
// hf_quant_config.json beside the file is read, too; beside NAME_config.json that is
// NAME_hf_quant_config.json. engine/io/model_config says what is understood.
//
// Errors: INVALID_ARGUMENT with what is wrong of the file or of the figures in it; NOT_FOUND.
#pragma once

#include <cstdint>
#include <filesystem>

#include "absl/status/statusor.h"
#include "engine/model/model.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// The message alone, named after the file, its figures not checked. `weight_dtype`: of all matrices
// of layers, whatever the file says; 0: none.
[[nodiscard]] absl::StatusOr<v1::Model> ReadModelFile(const std::filesystem::path& path,
                                                      v1::DataType weight_dtype);

struct ImportedModel {
  v1::Model message;  // a preset, or `model` of a spec
  Model model;        // the same, checked and complete, with a 16-bit KV cache
};
[[nodiscard]] absl::StatusOr<ImportedModel> ImportModel(
    const std::filesystem::path& path, v1::DataType weight_dtype = v1::DATA_TYPE_UNSPECIFIED);

// A message that stands alone, as the plain data of a checked one.
[[nodiscard]] absl::StatusOr<Model> CheckModel(const v1::Model& message);

}  // namespace tokensim
