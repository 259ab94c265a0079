// Counts one call: started when made, handled when finished.
#pragma once

#include "absl/status/status.h"
#include "server/admin/metrics.h"
#include "server/base/clock.h"

namespace tokensim {

class CallGuard {
 public:
  // Both outlive the guard. The one request of a unary or server-streaming call is counted here.
  CallGuard(const MethodMetrics& metrics, const Clock& clock)
      : metrics_(metrics), clock_(clock), begun_(clock.Steady()) {
    metrics_.started->Increment();
    metrics_.received->Increment();
  }
  CallGuard(const CallGuard&) = delete;
  CallGuard& operator=(const CallGuard&) = delete;

  void OnMessageSent() { metrics_.sent->Increment(); }
  // Once.
  void Finish(absl::StatusCode code) {
    metrics_.handled.at(static_cast<size_t>(code))->Increment();
    if (metrics_.handling_seconds != nullptr) {
      metrics_.handling_seconds->Observe(Seconds(clock_.Steady() - begun_));
    }
  }

 private:
  const MethodMetrics& metrics_;
  const Clock& clock_;
  const SteadyTime begun_;
};

}  // namespace tokensim
