#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "engine/base/invariant.h"
#include "engine/workload/arrivals.h"
#include "engine/workload/capped_source.h"
#include "engine/workload/lengths.h"
#include "engine/workload/request_drawer.h"
#include "engine/workload/session_source.h"
#include "engine/workload/sessions.h"
#include "engine/workload/workload.h"

namespace tokensim {
namespace {

// Arrivals and lengths, nothing else. One class per pair of types: the only virtual call per
// request is Pop. Requests are drawn many at a time: those of one draw overlap, and what they are
// drawn from stays in the cache meanwhile.
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
    if (index_ == drawn_) Draw();
    has_next_ = index_ < drawn_ && drawn_arrivals_[index_] <= last_;
    if (!has_next_) return;
    next_.arrival = drawn_arrivals_[index_];
    next_.input_tokens = drawn_lengths_[index_].input;
    next_.output_tokens = drawn_lengths_[index_].output;
    ++index_;
  }

 private:
  static constexpr size_t kMostDrawn = 64;

  void Draw() {
    index_ = 0;
    drawn_ = static_cast<size_t>(std::min<int64_t>(kMostDrawn, remaining_));
    remaining_ -= static_cast<int64_t>(drawn_);
    for (size_t i = 0; i < drawn_; ++i) drawn_arrivals_[i] = arrivals_.Next();
    for (size_t i = 0; i < drawn_; ++i) drawn_lengths_[i] = lengths_.Next();
  }

  int64_t remaining_;  // not drawn yet
  SimTime last_;       // arrival
  ArrivalProcess arrivals_;
  LengthSource lengths_;
  size_t index_ = 0;
  size_t drawn_ = 0;
  std::array<SimTime, kMostDrawn> drawn_arrivals_;
  std::array<LengthPair, kMostDrawn> drawn_lengths_;
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
  if (workload.max_in_flight > 0) {
    Workload intended = workload;
    intended.max_in_flight = 0;
    return std::make_unique<CappedSource>(MakeRequestSource(intended, seed),
                                          workload.max_in_flight, workload.last_arrival());
  }
  return VisitArrivals(workload, seed, [&](auto arrivals) -> std::unique_ptr<RequestSource> {
    if (IsPlain(workload)) return Pair(workload, seed, std::move(arrivals));
    return std::make_unique<DrawnSource<decltype(arrivals)>>(workload, seed, std::move(arrivals));
  });
}

}  // namespace tokensim
