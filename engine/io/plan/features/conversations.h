// Requests that form conversations. Internal to engine/io.
#pragma once

#include "engine/io/plan/findings.h"
#include "engine/workload/workload.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Whether the rows of the trace say which turns a conversation has.
[[nodiscard]] bool HasTraceConversations(const v1::Workload& workload);
// Needs resolved trace and lengths.
void ResolveConversations(v1::Workload* workload, Findings* findings);

[[nodiscard]] ConversationConfig ToConversations(const v1::Conversations& conversations);

}  // namespace tokensim
