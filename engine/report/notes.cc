#include "engine/report/notes.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_format.h"
#include "engine/report/percentiles.h"
#include "engine/report/samples.h"

namespace tokensim {
namespace {

// Too few requests say nothing about a trend.
constexpr int64_t kMinFinishedForTrend = 100;
// The queue grows when the median queueing time rises from quarter to quarter, at least this much
// in all, and ends as at least this share of the median latency.
constexpr double kSaturationGrowth = 3;
constexpr double kSaturationLatencyShare = 0.2;
// Preemptions worth a note, per finished request.
constexpr double kHeavyPreemption = 0.05;
// A link this busy holds the run up.
constexpr double kSaturatedLink = 0.9;
// Prefill workers this busy beside decode workers this idle, or the other way round, are too few.
constexpr double kBusyRole = 0.95;
constexpr double kIdleRole = 0.5;

void NoteRejections(const Report& report, std::vector<std::string>* notes) {
  if (report.rejected_max_model_len > 0) {
    notes->push_back(absl::StrFormat(
        "%d of %d requests were rejected: input and output are longer than max_model_len.",
        report.rejected_max_model_len, report.total));
  }
  if (report.rejected_kv_capacity > 0) {
    notes->push_back(absl::StrFormat(
        "%d of %d requests were rejected: they do not fit into the KV cache of their worker.",
        report.rejected_kv_capacity, report.total));
  }
  if (report.rejected_no_worker > 0) {
    notes->push_back(absl::StrFormat(
        "%d of %d requests were rejected: they waited for a worker until the end of the run.",
        report.rejected_no_worker, report.total));
  }
}

void NoteEarlyStop(const Report& report, std::vector<std::string>* notes) {
  const bool stopped = report.end_reason == EndReason::kMaxSimulatedTime ||
                       report.end_reason == EndReason::kMaxEvents;
  if (stopped) {
    const int64_t ended = report.finished + report.rejected();
    const std::string stop = absl::StrFormat(
        "The run was stopped by %s after %.3f s: of %d requests %d had not finished",
        report.end_reason == EndReason::kMaxEvents ? "max_events" : "max_simulated_seconds",
        report.simulated_seconds, report.total, report.unfinished);
    const std::string more =
        report.duration_seconds == 0
            ? absl::StrFormat(" and %d had not arrived", report.total - ended - report.unfinished)
        : report.duration_seconds > report.simulated_seconds
            ? absl::StrFormat(" and more would have arrived until %.3f s", report.duration_seconds)
            : "";
    notes->push_back(stop + more + ". Latencies are those of finished requests.");
  }
  if (report.finished == 0) notes->push_back("No request finished.");
}

// What the figures are of.
void NoteWindow(const Report& report, std::vector<std::string>* notes) {
  if (!report.window) return;
  const ReportWindow& window = report.window->window;
  const std::string end =
      window.end == kNever ? "on" : absl::StrFormat("to %.3f s", ToSeconds(window.end));
  const int64_t counted = report.window->finished + report.window->rejected;
  notes->push_back(absl::StrFormat(
      "Throughput, percentiles and SLO are those of the %d requests that arrived from %.3f s %s "
      "and ended. Totals, workers and timelines are of the whole run.",
      counted, ToSeconds(window.start), end));
}

// A closed loop whose requests are rejected at once.
void NoteEndlessRejections(const Report& report, std::vector<std::string>* notes) {
  if (!report.endless_rejections) return;
  notes->push_back(
      absl::StrFormat("Arrivals were ended after %d requests, before %.3f s: clients whose "
                      "requests are rejected at "
                      "once send the next without end.",
                      report.total, report.duration_seconds));
}

struct ArrivalTrend {
  std::array<double, 4> median_queueing_seconds{};  // by quarter of arrivals
  double arrivals_per_second = 0;                   // 0: all at once
};

ArrivalTrend TrendOf(const Results& results, int64_t finished) {
  constexpr size_t kQuarters = 4;
  using Row = RequestTable::Row;
  Samples queueing;
  queueing.FillGroups(
      results.records, kQuarters,
      [&](const Row& r) {
        if (!r.finished()) return Samples::kNoGroup;
        return static_cast<size_t>(r.request_id() * 4 / results.arrived);
      },
      [](const Row& r) { return ToSeconds(r.scheduled() - r.arrival()); });
  ArrivalTrend trend;
  for (size_t quarter = 0; quarter < kQuarters; ++quarter) {
    trend.median_queueing_seconds[quarter] = Percentile(queueing.group(quarter), 50);
  }
  SimTime first = kNever;
  SimTime last = 0;
  results.records.ForEach([&](const Row& r) {
    if (!r.finished()) return;
    first = std::min(first, r.arrival());
    last = std::max(last, r.arrival());
  });
  if (last > first) {
    trend.arrivals_per_second = static_cast<double>(finished - 1) / ToSeconds(last - first);
  }
  return trend;
}

// Nothing: the run is not saturated.
std::optional<ArrivalTrend> SaturationOf(const Report& report, const Results& results) {
  if (report.finished < kMinFinishedForTrend) return std::nullopt;
  const ArrivalTrend trend = TrendOf(results, report.finished);
  const auto& median = trend.median_queueing_seconds;
  const bool rising = median[0] < median[1] && median[1] < median[2] && median[2] < median[3];
  if (trend.arrivals_per_second == 0 || !rising || median[3] < kSaturationGrowth * median[0] ||
      median[3] < kSaturationLatencyShare * report.e2e_seconds.p50) {
    return std::nullopt;
  }
  return trend;
}

void NoteSaturation(const Report& report, const Results& results, std::vector<std::string>* notes) {
  const std::optional<ArrivalTrend> trend = SaturationOf(report, results);
  if (!trend) return;
  const auto& median = trend->median_queueing_seconds;
  notes->push_back(absl::StrFormat(
      "Saturated: requests arrive at %.2f/s and finish at %.2f/s, and the median queueing time "
      "grows from %.3f s in the first quarter of arrivals to %.3f s in the last. Latencies depend "
      "on the length of the run.",
      trend->arrivals_per_second, report.requests_per_second, median[0], median[3]));
}

void NotePreemptions(const Report& report, const Results& results,
                     std::vector<std::string>* notes) {
  int64_t preemptions = 0;
  int64_t prefilled = 0;
  for (const WorkerStats& worker : results.workers) {
    preemptions += worker.preemptions;
    prefilled += worker.prefill_tokens;
  }
  if (static_cast<double>(preemptions) < kHeavyPreemption * static_cast<double>(report.finished) ||
      preemptions == 0) {
    return;
  }
  int64_t preempted = 0;
  results.records.ForEach(
      [&](const RequestTable::Row& r) { preempted += r.preemptions() > 0 ? 1 : 0; });
  notes->push_back(absl::StrFormat(
      "The KV cache is short: %d preemptions, at least one for %d of %d finished requests; %d "
      "prompt tokens were computed, recomputation included.",
      preemptions, preempted, report.finished, prefilled));
}

void NoteFailures(const Report& report, std::vector<std::string>* notes) {
  if (!report.transfers || report.transfers->redispatched == 0) return;
  notes->push_back(absl::StrFormat(
      "Requests lost their worker or their KV cache to a failure %d times and began again.",
      report.transfers->redispatched));
}

void NoteLinks(const Report& report, std::vector<std::string>* notes) {
  if (!report.transfers) return;
  const TransferSummary::Link* most = nullptr;
  int64_t saturated = 0;
  for (const TransferSummary::Link& link : report.transfers->links) {
    if (link.utilization <= kSaturatedLink) continue;
    ++saturated;
    if (most == nullptr || link.utilization > most->utilization) most = &link;
  }
  if (saturated == 0) return;
  notes->push_back(
      absl::StrFormat("Links are saturated: %d carried more than %.0f %% of what they can in the "
                      "simulated time, %s "
                      "the most (%.1f %%).",
                      saturated, 100 * kSaturatedLink, most->use.name, 100 * most->utilization));
}

void NoteRoles(const Report& report, std::vector<std::string>* notes) {
  struct Group {
    double busy = 0;
    int64_t workers = 0;
    [[nodiscard]] double mean() const { return busy / static_cast<double>(workers); }
  };
  Group prefill;
  Group decode;
  for (const WorkerSummary& worker : report.workers) {
    if (worker.role == Role::kBoth) return;  // takes part in both: no side can hold the other up
    Group& group = worker.role == Role::kPrefill ? prefill : decode;
    group.busy += worker.utilization;
    ++group.workers;
  }
  if (prefill.workers == 0 || decode.workers == 0) return;
  const bool prefill_is_short = prefill.mean() > kBusyRole && decode.mean() < kIdleRole;
  const bool decode_is_short = decode.mean() > kBusyRole && prefill.mean() < kIdleRole;
  if (!prefill_is_short && !decode_is_short) return;
  notes->push_back(absl::StrFormat(
      "%s is the bottleneck: prefill workers are busy %.1f %% of the time, decode workers %.1f %%.",
      prefill_is_short ? "Prefill" : "Decode", 100 * prefill.mean(), 100 * decode.mean()));
}

}  // namespace

bool IsSaturated(const Report& report, const Results& results) {
  return SaturationOf(report, results).has_value();
}

std::vector<std::string> MakeNotes(const Report& report, const Results& results) {
  std::vector<std::string> notes;
  NoteRejections(report, &notes);
  NoteEarlyStop(report, &notes);
  NoteWindow(report, &notes);
  NoteEndlessRejections(report, &notes);
  NoteSaturation(report, results, &notes);
  NotePreemptions(report, results, &notes);
  NoteFailures(report, &notes);
  NoteLinks(report, &notes);
  NoteRoles(report, &notes);
  return notes;
}

}  // namespace tokensim
