#include "engine/workload/workload.h"

#include <limits>

#include "engine/workload/arrival_process.h"
#include "engine/workload/length_source.h"

namespace tokensim {

int64_t Workload::users() const {
  return arrivals.process == nullptr ? 0 : arrivals.process->users();
}

int64_t Workload::most_requests() const {
  if (duration == kNever) return num_requests;
  if (users() > 0) return 2 * num_requests + 10'000;
  return std::numeric_limits<int64_t>::max();
}

bool Workload::uses_trace_conversations() const {
  return lengths.source != nullptr && lengths.source->rows_in_order() && trace != nullptr &&
         !trace->conversation.empty();
}

}  // namespace tokensim
