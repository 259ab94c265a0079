// The compute model of a worker group: a backend with its parameters. Internal to engine/io.
#pragma once

#include <string>

#include "engine/compute/backend.h"
#include "engine/io/plan/findings.h"
#include "engine/io/plan/prepare.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// A group that names no backend gets the best that its hardware has: measured kernels where a preset
// or the spec holds their surfaces, else the roofline. The hardware may be unresolved.
void ChooseBackend(v1::WorkerGroup* group);

// `check` is the group's, whose model, hardware and local scheduler are resolved. Reads the profile
// bundle, if it names one.
void ResolveCompute(const TracePolicy& policy, const Checker& check, v1::WorkerGroup* group);

// Whether the compute model needs the figures of model and hardware.
[[nodiscard]] bool PricesOperators(const v1::Compute& compute);
// The backend by name, and the message with its parameters.
[[nodiscard]] std::string BackendName(const v1::Compute& compute);
[[nodiscard]] const google::protobuf::Message& BackendSection(const v1::Compute& compute);
// Of that backend; the defaults when there is none of that name.
[[nodiscard]] BackendTraits TraitsOf(const v1::Compute& compute);

}  // namespace tokensim
