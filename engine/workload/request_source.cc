#include <utility>

#include "engine/workload/arrival_times.h"
#include "engine/workload/capped_source.h"
#include "engine/workload/length_stream.h"
#include "engine/workload/request_drawer.h"
#include "engine/workload/session_source.h"
#include "engine/workload/workload.h"

namespace tokensim {
namespace {

// Arrivals and lengths, nothing else. The only virtual call per request is Pop: both are drawn in
// batches.
class PairedSource final : public RequestSource {
 public:
  PairedSource(const Workload& workload, uint64_t seed)
      : remaining_(workload.most_requests()),
        last_(workload.last_arrival()),
        arrivals_(workload, seed, remaining_),
        lengths_(workload.lengths, workload.trace, seed, kLengthStream) {
    PairedSource::Pop();
  }

  void Pop() override {
    has_next_ = remaining_ > 0;
    if (!has_next_) return;
    --remaining_;
    next_.arrival = arrivals_.Next();
    has_next_ = next_.arrival <= last_;
    const LengthDraw lengths = lengths_.Next();
    next_.input_tokens = lengths.input;
    next_.output_tokens = lengths.output;
  }

 private:
  int64_t remaining_;
  SimTime last_;  // arrival
  ArrivalTimes arrivals_;
  LengthStream lengths_;
};

// Arrivals that wait for nothing, with classes, prefix groups or hash ids.
class DrawnSource final : public RequestSource {
 public:
  DrawnSource(const Workload& workload, uint64_t seed)
      : remaining_(workload.most_requests()),
        last_(workload.last_arrival()),
        arrivals_(workload, seed, remaining_),
        drawer_(workload, seed) {
    DrawnSource::Pop();
  }

  void Pop() override {
    has_next_ = remaining_ > 0;
    if (!has_next_) return;
    --remaining_;
    next_.arrival = arrivals_.Next();
    has_next_ = next_.arrival <= last_;
    drawer_.DrawClient(&next_);
    const LengthDraw lengths = drawer_.DrawLengths(next_.client_class, &next_.content);
    next_.input_tokens = lengths.input + next_.content.prefix_tokens;
    next_.output_tokens = lengths.output;
  }

 private:
  int64_t remaining_;
  SimTime last_;  // arrival
  ArrivalTimes arrivals_;
  RequestDrawer drawer_;
};

bool IsReactive(const Workload& workload) {
  return workload.conversations.has_value() || workload.uses_trace_conversations() ||
         workload.users() > 0;
}

bool IsPlain(const Workload& workload) {
  const bool hash_ids = workload.trace != nullptr && !workload.trace->hash_begin.empty();
  return workload.classes.empty() && !workload.prefix_groups && !hash_ids;
}

}  // namespace

std::unique_ptr<RequestSource> MakeRequestSource(const Workload& workload, uint64_t seed) {
  if (IsReactive(workload)) return std::make_unique<SessionSource>(workload, seed);
  if (workload.max_in_flight > 0) {
    Workload intended = workload;
    intended.max_in_flight = 0;
    return std::make_unique<CappedSource>(MakeRequestSource(intended, seed),
                                          workload.max_in_flight, workload.last_arrival());
  }
  if (IsPlain(workload)) return std::make_unique<PairedSource>(workload, seed);
  return std::make_unique<DrawnSource>(workload, seed);
}

}  // namespace tokensim
