// The layer groups of a model. Internal to engine/io.
#pragma once

#include <string>
#include <string_view>

#include "engine/io/plan/findings.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Gives every group all its fields, from the model's where it has none, and sets num_layers. `check`
// is the model's, whose other fields are resolved. Nothing of a model without groups.
void ResolveLayers(const Checker& check, v1::Model* model);

// `check` is the experts'. What they do not have, of size 0, is absent.
void ResolveMoe(const Checker& check, v1::MixtureOfExperts* moe);
// Types of parts that the model has and that are not given are weight_dtype. `check` is the model's,
// whose layers are resolved.
void ResolveWeightDtypes(const Checker& check, v1::Model* model);
void CheckDataType(const Checker& check, std::string_view field, v1::DataType type);

}  // namespace tokensim
