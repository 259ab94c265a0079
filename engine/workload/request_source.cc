#include <utility>

#include "engine/base/invariant.h"
#include "engine/workload/arrivals.h"
#include "engine/workload/lengths.h"
#include "engine/workload/request_drawer.h"
#include "engine/workload/session_source.h"
#include "engine/workload/sessions.h"
#include "engine/workload/workload.h"

namespace tokensim {
namespace {

// Arrivals and lengths, nothing else. One class per pair of types: the only virtual call per
// request is Pop.
template <typename ArrivalProcess, typename LengthSource>
class PairedSource final : public RequestSource {
 public:
  PairedSource(const Workload& workload, ArrivalProcess arrivals, LengthSource lengths)
      : remaining_(workload.most_requests()),
        last_(workload.last_arrival()),
        arrivals_(std::move(arrivals)),
        lengths_(std::move(lengths)) {
    PairedSource::Pop();
  }

  void Pop() override {
    has_next_ = remaining_ > 0;
    if (!has_next_) return;
    --remaining_;
    next_.arrival = arrivals_.Next();
    has_next_ = next_.arrival <= last_;
    const LengthPair lengths = lengths_.Next();
    next_.input_tokens = lengths.input;
    next_.output_tokens = lengths.output;
  }

 private:
  int64_t remaining_;
  SimTime last_;  // arrival
  ArrivalProcess arrivals_;
  LengthSource lengths_;
};

// Arrivals that wait for nothing, with classes, prefix groups or hash ids.
template <typename ArrivalProcess>
class DrawnSource final : public RequestSource {
 public:
  DrawnSource(const Workload& workload, uint64_t seed, ArrivalProcess arrivals)
      : remaining_(workload.most_requests()),
        last_(workload.last_arrival()),
        arrivals_(std::move(arrivals)),
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
    const LengthPair lengths = drawer_.DrawLengths(next_.client_class, &next_.content);
    next_.input_tokens = lengths.input + next_.content.prefix_tokens;
    next_.output_tokens = lengths.output;
  }

 private:
  int64_t remaining_;
  SimTime last_;  // arrival
  ArrivalProcess arrivals_;
  RequestDrawer drawer_;
};

bool IsReactive(const Workload& workload) {
  return workload.conversations.has_value() || UsesTraceConversations(workload) ||
         std::holds_alternative<ClosedLoopArrivals>(workload.arrivals);
}

bool IsPlain(const Workload& workload) {
  const bool hash_ids = std::holds_alternative<TraceLengths>(workload.lengths) &&
                        workload.trace != nullptr && !workload.trace->hash_begin.empty();
  return workload.classes.empty() && !workload.prefix_groups && !hash_ids;
}

template <typename ArrivalProcess>
std::unique_ptr<RequestSource> Pair(const Workload& workload, uint64_t seed,
                                    ArrivalProcess arrivals) {
  return VisitLengths(workload.lengths, workload.trace, seed, kLengthStream,
                      [&](auto lengths) -> std::unique_ptr<RequestSource> {
                        return std::make_unique<PairedSource<ArrivalProcess, decltype(lengths)>>(
                            workload, std::move(arrivals), std::move(lengths));
                      });
}

}  // namespace

std::unique_ptr<RequestSource> MakeRequestSource(const Workload& workload, uint64_t seed) {
  if (IsReactive(workload)) return std::make_unique<SessionSource>(workload, seed);
  return VisitArrivals(workload, seed, [&](auto arrivals) -> std::unique_ptr<RequestSource> {
    if (IsPlain(workload)) return Pair(workload, seed, std::move(arrivals));
    return std::make_unique<DrawnSource<decltype(arrivals)>>(workload, seed, std::move(arrivals));
  });
}

}  // namespace tokensim
