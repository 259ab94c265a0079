// The KV blocks of a worker whose layers do not all keep every token. Internal to engine/io.
//
// From the model's layers, by what each keeps of a sequence, to vLLM's groups of layers and blocks
// (engine/memory/block_shape.h). A model whose layers all keep every token has no layout.
#pragma once

#include <memory>
#include <vector>

#include "engine/io/plan/findings.h"
#include "engine/memory/block_layout.h"
#include "engine/memory/block_shape.h"
#include "engine/model/model.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// What the layers of a model keep, each kind once, in the order of the model's groups; on one of
// `tensor` devices. Bytes saturate.
[[nodiscard]] std::vector<KvLayers> KvLayersOf(const Model& model, int32_t tensor);

// Whether any of them keeps less than every token.
[[nodiscard]] bool KeepsLess(const Model& model);
// Whether any of them keeps a state.
[[nodiscard]] bool KeepsStates(const Model& model);

// Of a resolved group whose model keeps less than every token. Null, with errors at the group's
// `path`, if its blocks would be of no use: of too many tokens or bytes, or no multiple of a chunk.
[[nodiscard]] std::shared_ptr<const BlockLayout> LayoutOf(const std::string& path,
                                                          const Model& model,
                                                          const v1::WorkerGroup& group,
                                                          Findings* findings);

}  // namespace tokensim
