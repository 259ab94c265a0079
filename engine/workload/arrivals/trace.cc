// The times of the trace's rows, divided by speedup. Past its last row the trace repeats, shifted by
// its span plus its mean gap.
#include <algorithm>
#include <cmath>

#include "engine/workload/arrival_process.h"

namespace tokensim {
namespace {

class TraceTimes final : public NextByNext<TraceTimes> {
 public:
  TraceTimes(std::shared_ptr<const TraceTable> trace, std::span<const int64_t> rows, double speedup)
      : trace_(std::move(trace)), speedup_(speedup) {
    TOKENSIM_INVARIANT(trace_ != nullptr, "no trace");
    TOKENSIM_INVARIANT(!trace_->arrival.empty(), "trace without timestamps");
    for (const int64_t row : rows) {
      some_.push_back(trace_->arrival[static_cast<size_t>(row)]);
    }
    times_ = some_.empty() ? std::span<const SimTime>(trace_->arrival) : some_;
    const auto count = static_cast<SimTime>(trace_->arrival.size());
    const SimTime span = trace_->arrival.back();
    period_ = SaturatingAdd(span, count > 1 ? span / (count - 1) : 0);
  }

  SimTime Next() {
    if (row_ == times_.size()) {
      row_ = 0;
      cycle_start_ = SaturatingAdd(cycle_start_, period_);
    }
    return TraceGap(SaturatingAdd(cycle_start_, times_[row_++]));
  }
  [[nodiscard]] double ExpectedWithin(double seconds) const override {
    const double period = ToSeconds(period_) / speedup_;
    const double cycles = std::floor(seconds / period);
    const SimTime rest = FromSeconds((seconds - cycles * period) * speedup_);
    const auto row = std::lower_bound(times_.begin(), times_.end(), rest);
    return cycles * static_cast<double>(times_.size()) + static_cast<double>(row - times_.begin());
  }
  [[nodiscard]] SimTime TraceGap(SimTime gap) const override {
    if (speedup_ == 1) return gap;
    const double scaled = static_cast<double>(gap) / speedup_;
    return scaled < 9.2e18 ? static_cast<SimTime>(scaled + 0.5) : kNever;
  }

 private:
  std::shared_ptr<const TraceTable> trace_;
  std::vector<SimTime> some_;  // empty: all of the trace
  std::span<const SimTime> times_;
  double speedup_;
  size_t row_ = 0;
  SimTime cycle_start_ = 0;
  SimTime period_ = 0;
};

constexpr char kSpeedup[] = "speedup";
constexpr Parameter kParameters[] = {
    RealParameter(kSpeedup, 1, {.above = 0, .max = 1e9}, "how many times as fast the rows come")};

std::vector<ArrivalProblem> Check(const ParameterValues& values, const Traffic& traffic) {
  if (traffic.trace_rows == 0) return {};  // the trace has errors
  if (!traffic.trace_times) {
    return {{"", "the trace has no timestamps; use another arrival process"}};
  }
  const double span = traffic.trace_seconds;
  std::vector<ArrivalProblem> problems;
  if (traffic.endless && span == 0) {
    problems.push_back({"",
                        "the trace's rows arrive all at once: with workload.duration_seconds they "
                        "would repeat without end"});
  }
  const double cycles =
      1 + static_cast<double>(traffic.requests) / static_cast<double>(traffic.trace_rows);
  if (2 * span * cycles / std::min(1.0, values.real(kSpeedup)) > kMaxSimulatedSeconds) {
    problems.push_back({kSpeedup, "the last request would arrive after 126 years"});
  }
  return problems;
}

}  // namespace

extern constinit const ArrivalEntry kTraceArrivals = {
    {.name = "trace", .description = "the times of the trace's rows", .parameters = kParameters},
    {.from_trace = true, .check = Check},
    [](const ParameterValues& values) -> ArrivalFactory::Maker {
      return [speedup = values.real(kSpeedup)](const ArrivalContext& context) {
        return std::make_unique<TraceTimes>(context.workload.trace, context.rows, speedup);
      };
    }};

}  // namespace tokensim
