// The model of a spec or of a worker group: layers, heads, experts, vocabulary. Internal to
// engine/io.
#pragma once

#include <string>

#include "engine/io/plan/findings.h"
#include "engine/io/plan/prepare.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// `required`: every figure of the model must be known.
void ResolveModel(const TracePolicy& policy, const std::string& path, bool required,
                  v1::Model* model, Findings* findings);

// The model that a group serves.
[[nodiscard]] inline const v1::Model& ModelOf(const v1::Spec& spec, const v1::WorkerGroup& group) {
  return group.has_model() ? group.model() : spec.model();
}

}  // namespace tokensim
