// Trace files and rows. A file is read once and becomes rows of the spec, so that the resolved spec
// needs no file and a server, which has none, gets the same spec and digest. Internal to engine/io.
#pragma once

#include <memory>

#include "engine/io/plan/findings.h"
#include "engine/io/plan/prepare.h"
#include "engine/workload/workload.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Replaces path, format, offset and limit by rows. Rows with errors are removed, so that no more is
// said about them.
void ResolveTrace(const TracePolicy& policy, v1::Trace* trace, Findings* findings);

[[nodiscard]] std::shared_ptr<const TraceTable> ToTraceTable(const v1::TraceRows& rows);

}  // namespace tokensim
