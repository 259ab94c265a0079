// Static batching that waits, for tests.
#pragma once

#include <memory>
#include <utility>

#include "engine/base/invariant.h"
#include "engine/policy/local/registry.h"

namespace tokensim {

// It waits until a batch is full, or for the time-out; 0: without one.
inline std::shared_ptr<const LocalSchedulerFactory> FullBatches(double timeout_seconds = 0) {
  const LocalSchedulerEntry& entry = *LocalSchedulers().Find("static");
  ParameterValues values(entry.parameters);
  TOKENSIM_INVARIANT(values.SetChoice("static.wait", "full").empty() &&
                         values.Set("static.timeout_seconds", timeout_seconds).empty(),
                     "static batching does not take this");
  return LocalSchedulers().Configure(entry, std::move(values));
}

}  // namespace tokensim
