#include "engine/report/report.h"

#include <algorithm>

#include "engine/report/notes.h"
#include "engine/report/percentiles.h"

namespace tokensim {
namespace {

// One column per metric, of finished requests, in seconds or tokens.
struct Columns {
  explicit Columns(size_t size) {
    for (auto* column : {&ttft, &tpot, &e2e, &queueing, &normalized_latency, &max_itl,
                         &input_tokens, &output_tokens}) {
      column->reserve(size);
    }
  }

  std::vector<double> ttft, tpot, e2e, queueing, normalized_latency, max_itl;
  std::vector<double> input_tokens, output_tokens;
};

void Append(const RequestRecord& r, Columns* columns) {
  columns->ttft.push_back(ToSeconds(r.first_token - r.arrival));
  columns->e2e.push_back(ToSeconds(r.finish - r.arrival));
  columns->queueing.push_back(ToSeconds(r.scheduled - r.arrival));
  columns->normalized_latency.push_back(ToSeconds(r.finish - r.arrival) / r.output_tokens);
  if (r.output_tokens >= 2) {
    columns->tpot.push_back(ToSeconds(r.finish - r.first_token) / (r.output_tokens - 1));
    columns->max_itl.push_back(ToSeconds(r.max_itl));
  }
  columns->input_tokens.push_back(r.input_tokens);
  columns->output_tokens.push_back(r.output_tokens);
}

// Counts finished requests against the objectives.
class SloCounter {
 public:
  explicit SloCounter(const SloPlan& slo) : slo_(slo) {}

  void Count(const RequestRecord& r) {
    bool met = true;
    met &= CountOne(slo_.ttft, r.first_token - r.arrival, 1, &met_ttft_);
    // A one-token output has no gap: 0 meets both objectives.
    met &= CountOne(slo_.tpot, r.finish - r.first_token, r.output_tokens - 1, &met_tpot_);
    met &= CountOne(slo_.max_itl, r.max_itl, 1, &met_max_itl_);
    met &= CountOne(slo_.e2e, r.finish - r.arrival, 1, &met_e2e_);
    if (!met) return;
    ++met_;
    met_output_tokens_ += r.output_tokens;
  }

  [[nodiscard]] SloSummary Summary(int64_t ended, double span_seconds) const {
    SloSummary summary;
    summary.met = met_;
    if (ended > 0) summary.attainment = static_cast<double>(met_) / static_cast<double>(ended);
    if (span_seconds > 0) {
      summary.goodput_requests_per_second = static_cast<double>(met_) / span_seconds;
      summary.goodput_output_tokens_per_second =
          static_cast<double>(met_output_tokens_) / span_seconds;
    }
    if (slo_.ttft) summary.met_ttft = met_ttft_;
    if (slo_.tpot) summary.met_tpot = met_tpot_;
    if (slo_.max_itl) summary.met_max_itl = met_max_itl_;
    if (slo_.e2e) summary.met_e2e = met_e2e_;
    return summary;
  }

 private:
  // Whether time / parts <= objective, exactly.
  static bool CountOne(const std::optional<SimTime>& objective, SimTime time, int32_t parts,
                       int64_t* met) {
    const bool is_met = !objective || time <= static_cast<__int128>(*objective) * parts;
    *met += is_met;
    return is_met;
  }

  const SloPlan& slo_;
  int64_t met_ = 0;
  int64_t met_output_tokens_ = 0;
  int64_t met_ttft_ = 0;
  int64_t met_tpot_ = 0;
  int64_t met_max_itl_ = 0;
  int64_t met_e2e_ = 0;
};

void SummarizeRequests(const Plan& plan, const Results& results, Report* report) {
  Columns columns(results.records.size());
  SloCounter slo(plan.slo);
  SimTime last_finish = kUnset;
  int64_t input_tokens = 0;
  int64_t output_tokens = 0;
  for (const RequestRecord& r : results.records) {
    report->rejected_max_model_len += r.reject_reason == RejectReason::kMaxModelLen;
    report->rejected_kv_capacity += r.reject_reason == RejectReason::kKvCapacity;
    if (r.reject_reason != RejectReason::kNone) continue;
    ++report->finished;
    report->preemptions += r.preemptions;
    last_finish = std::max(last_finish, r.finish);
    input_tokens += r.input_tokens;
    output_tokens += r.output_tokens;
    Append(r, &columns);
    slo.Count(r);
  }
  const int64_t ended = static_cast<int64_t>(results.records.size());
  report->total = plan.workload.num_requests;
  report->unfinished = results.arrived - ended;
  if (report->finished > 0) {
    report->span_seconds = ToSeconds(last_finish - results.first_arrival);
    report->requests_per_second = static_cast<double>(report->finished) / report->span_seconds;
    report->input_tokens_per_second = static_cast<double>(input_tokens) / report->span_seconds;
    report->output_tokens_per_second = static_cast<double>(output_tokens) / report->span_seconds;
  }
  report->ttft_seconds = Summarize(columns.ttft);
  report->tpot_seconds = Summarize(columns.tpot);
  report->e2e_seconds = Summarize(columns.e2e);
  report->queueing_seconds = Summarize(columns.queueing);
  report->normalized_latency_seconds = Summarize(columns.normalized_latency);
  report->max_itl_seconds = Summarize(columns.max_itl);
  report->input_tokens = Summarize(columns.input_tokens);
  report->output_tokens = Summarize(columns.output_tokens);
  if (plan.slo.any()) report->slo = slo.Summary(ended, report->span_seconds);
}

void SummarizeWorkers(const Plan& plan, const Results& results, Report* report) {
  for (size_t i = 0; i < plan.workers.size(); ++i) {
    const WorkerPlan& worker = plan.workers[i];
    WorkerSummary& summary = report->workers.emplace_back();
    summary.name = worker.name;
    summary.hardware = worker.hardware;
    summary.stats = results.workers[i];
    summary.kv_blocks_total = worker.kv_blocks;
    summary.block_size = worker.block_size;
    summary.timeline = results.timelines[i];
    if (report->simulated_seconds <= 0) continue;
    summary.utilization = ToSeconds(summary.stats.busy) / report->simulated_seconds;
    summary.mean_running = summary.stats.running_integral / report->simulated_seconds;
    summary.mean_kv_utilization = summary.stats.kv_blocks_integral / report->simulated_seconds /
                                  static_cast<double>(worker.kv_blocks);
  }
}

}  // namespace

Report BuildReport(const Plan& plan, const Results& results) {
  Report report;
  report.spec_name = plan.name;
  report.seed = plan.seed;
  report.end_reason = results.end_reason;
  report.events = results.events;
  report.simulated_seconds = ToSeconds(results.end_time);
  SummarizeRequests(plan, results, &report);
  SummarizeWorkers(plan, results, &report);
  report.notes = MakeNotes(report, results);
  return report;
}

}  // namespace tokensim
