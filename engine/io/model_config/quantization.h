// What the weights of a checkpoint are stored as. Internal to engine/io/model_config.
//
// Sources: quantization_config of config.json and hf_quant_config.json beside it, which comes first.
// Understood: fp8, fbgemm_fp8, mxfp4, compressed-tensors, ModelOpt (also mixed), awq, gptq.
// Embedding, head, norms and router stay as they are unless they are named.
#pragma once

#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "engine/io/model_config/config_reader.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Sets weight_dtype and weight_dtypes of a model whose layers are there. `quantization`: null, or
// the file beside the config. `force`: of all matrices of layers, whatever the files say; 0: none.
[[nodiscard]] absl::Status ReadWeightTypes(const ConfigReader& config,
                                           const nlohmann::json* quantization, v1::DataType force,
                                           v1::Model* model);

}  // namespace tokensim
