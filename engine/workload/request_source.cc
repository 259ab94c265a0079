#include <utility>

#include "engine/base/invariant.h"
#include "engine/workload/arrivals.h"
#include "engine/workload/lengths.h"
#include "engine/workload/workload.h"

namespace tokensim {
namespace {

// One class per pair of arrival and length types: the only virtual call per request is Next.
template <typename ArrivalProcess, typename LengthSource>
class PairedSource final : public RequestSource {
 public:
  PairedSource(int64_t num_requests, ArrivalProcess arrivals, LengthSource lengths)
      : remaining_(num_requests), arrivals_(std::move(arrivals)), lengths_(std::move(lengths)) {
    PairedSource::Pop();
  }

  void Pop() override {
    has_next_ = remaining_ > 0;
    if (!has_next_) return;
    --remaining_;
    next_.arrival = arrivals_.Next();
    const LengthPair lengths = lengths_.Next();
    next_.input_tokens = lengths.input;
    next_.output_tokens = lengths.output;
  }

 private:
  int64_t remaining_;
  ArrivalProcess arrivals_;
  LengthSource lengths_;
};

PoissonProcess MakeArrivals(const PoissonArrivals& config, const Workload&, uint64_t seed) {
  return {config, seed};
}
ConstantProcess MakeArrivals(const ConstantArrivals& config, const Workload&, uint64_t) {
  return ConstantProcess(config);
}
UniformProcess MakeArrivals(const UniformArrivals& config, const Workload& workload,
                            uint64_t seed) {
  return {config, workload.num_requests, seed};
}
BurstProcess MakeArrivals(const BurstArrivals& config, const Workload&, uint64_t) {
  return BurstProcess(config);
}
TraceProcess MakeArrivals(const TraceArrivals& config, const Workload& workload, uint64_t) {
  return {config, workload.trace};
}

template <typename Config>
ConstantProcess MakeArrivals(const Config&, const Workload&, uint64_t) {
  throw InvariantError("arrival process is not built yet");
}

template <typename ArrivalProcess, typename LengthSource>
std::unique_ptr<RequestSource> Pair(const Workload& workload, ArrivalProcess arrivals,
                                    LengthSource lengths) {
  return std::make_unique<PairedSource<ArrivalProcess, LengthSource>>(
      workload.num_requests, std::move(arrivals), std::move(lengths));
}

template <typename ArrivalProcess>
std::unique_ptr<RequestSource> PairWithLengths(const Workload& workload, uint64_t seed,
                                               ArrivalProcess arrivals) {
  if (const auto* joint = std::get_if<JointLengths>(&workload.lengths)) {
    return Pair(workload, std::move(arrivals), JointLengthSource(*joint, seed));
  }
  if (const auto* independent = std::get_if<IndependentLengths>(&workload.lengths)) {
    return Pair(workload, std::move(arrivals), IndependentLengthSource(*independent, seed));
  }
  if (std::get<TraceLengths>(workload.lengths).resample) {
    return Pair(workload, std::move(arrivals), ResampledTraceSource(workload.trace, seed));
  }
  return Pair(workload, std::move(arrivals), TraceRowSource(workload.trace));
}

}  // namespace

std::unique_ptr<RequestSource> MakeRequestSource(const Workload& workload, uint64_t seed) {
  return std::visit(
      [&](const auto& arrivals) {
        return PairWithLengths(workload, seed, MakeArrivals(arrivals, workload, seed));
      },
      workload.arrivals);
}

}  // namespace tokensim
