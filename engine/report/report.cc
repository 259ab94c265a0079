#include "engine/report/report.h"

#include <algorithm>

#include "engine/report/notes.h"
#include "engine/report/percentiles.h"
#include "engine/report/samples.h"

namespace tokensim {
namespace {

using Row = RequestTable::Row;

// The metrics of a request, in seconds.
double Ttft(const Row& r) { return ToSeconds(r.first_token() - r.arrival()); }
// Only of a request with two tokens or more.
double Tpot(const Row& r) {
  return ToSeconds(r.finish() - r.first_token()) / (r.output_tokens() - 1);
}
double E2e(const Row& r) { return ToSeconds(r.finish() - r.arrival()); }

// Which requests metrics are taken of.
class Counted {
 public:
  explicit Counted(const Plan& plan) {
    if (plan.window) window_ = *plan.window;
  }
  // Finished, in the window.
  [[nodiscard]] bool Holds(const Row& r) const {
    return r.finished() && window_.Holds(r.arrival());
  }
  [[nodiscard]] bool WithGaps(const Row& r) const { return Holds(r) && r.output_tokens() >= 2; }

 private:
  ReportWindow window_;
};

// Counts finished requests against objectives.
class SloCounter {
 public:
  // The request shall meet `slo`.
  void Count(const Row& r, const SloPlan& slo) {
    bool met = true;
    met &= CountOne(slo.ttft, r.first_token() - r.arrival(), 1, &met_ttft_);
    // A one-token output has no gap: 0 meets both objectives.
    met &= CountOne(slo.tpot, r.finish() - r.first_token(), r.output_tokens() - 1, &met_tpot_);
    met &= CountOne(slo.max_itl, r.max_itl(), 1, &met_max_itl_);
    met &= CountOne(slo.e2e, r.finish() - r.arrival(), 1, &met_e2e_);
    if (!met) return;
    ++met_;
    met_output_tokens_ += r.output_tokens();
  }

  // `objectives`: those that were asked of anybody. Nothing when there was none.
  [[nodiscard]] std::optional<SloSummary> Summary(const SloPlan& objectives, int64_t ended,
                                                  double span_seconds) const {
    if (!objectives.any()) return std::nullopt;
    SloSummary summary;
    summary.met = met_;
    if (ended > 0) summary.attainment = static_cast<double>(met_) / static_cast<double>(ended);
    if (span_seconds > 0) {
      summary.goodput_requests_per_second = static_cast<double>(met_) / span_seconds;
      summary.goodput_output_tokens_per_second =
          static_cast<double>(met_output_tokens_) / span_seconds;
    }
    if (objectives.ttft) summary.met_ttft = met_ttft_;
    if (objectives.tpot) summary.met_tpot = met_tpot_;
    if (objectives.max_itl) summary.met_max_itl = met_max_itl_;
    if (objectives.e2e) summary.met_e2e = met_e2e_;
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

  int64_t met_ = 0;
  int64_t met_output_tokens_ = 0;
  int64_t met_ttft_ = 0;
  int64_t met_tpot_ = 0;
  int64_t met_max_itl_ = 0;
  int64_t met_e2e_ = 0;
};

// What is asked of a request: its class's SLO, which is the plan's when the class has none.
const SloPlan& SloOf(const Plan& plan, const Row& r) {
  if (plan.classes.empty()) return plan.slo;
  return plan.classes[static_cast<size_t>(r.client_class())].slo;
}

// Every objective that is asked of some request.
SloPlan AllObjectives(const Plan& plan) {
  if (plan.classes.empty()) return plan.slo;
  SloPlan all;
  for (const ClassPlan& client : plan.classes) {
    if (client.slo.ttft) all.ttft = client.slo.ttft;
    if (client.slo.tpot) all.tpot = client.slo.tpot;
    if (client.slo.max_itl) all.max_itl = client.slo.max_itl;
    if (client.slo.e2e) all.e2e = client.slo.e2e;
  }
  return all;
}

void CountRejected(RejectReason reason, Report* report) {
  report->rejected_max_model_len += reason == RejectReason::kMaxModelLen;
  report->rejected_kv_capacity += reason == RejectReason::kKvCapacity;
  report->rejected_no_worker += reason == RejectReason::kNoWorker;
}

// Of the requests that count.
struct Totals {
  int64_t finished = 0;
  int64_t rejected = 0;
  int64_t input_tokens = 0;
  int64_t output_tokens = 0;
  SimTime first_arrival = kNever;
  SimTime last_finish = kUnset;

  void Finish(const Row& r) {
    ++finished;
    input_tokens += r.input_tokens();
    output_tokens += r.output_tokens();
    last_finish = std::max(last_finish, r.finish());
  }
};

void SummarizeThroughput(const Totals& totals, Report* report) {
  if (totals.finished == 0) return;
  report->span_seconds = ToSeconds(totals.last_finish - totals.first_arrival);
  report->requests_per_second = static_cast<double>(totals.finished) / report->span_seconds;
  report->input_tokens_per_second = static_cast<double>(totals.input_tokens) / report->span_seconds;
  report->output_tokens_per_second =
      static_cast<double>(totals.output_tokens) / report->span_seconds;
}

void SummarizeMetrics(const Plan& plan, const RequestTable& table, Report* report) {
  const Counted counted(plan);
  Samples samples;
  const auto summarize = [&](auto applies, auto value) {
    samples.Fill(table, applies, value);
    return Summarize(samples.all());
  };
  const auto finished = [&](const Row& r) { return counted.Holds(r); };
  const auto has_gaps = [&](const Row& r) { return counted.WithGaps(r); };
  report->ttft_seconds = summarize(finished, Ttft);
  report->tpot_seconds = summarize(has_gaps, Tpot);
  report->e2e_seconds = summarize(finished, E2e);
  report->queueing_seconds =
      summarize(finished, [](const Row& r) { return ToSeconds(r.scheduled() - r.arrival()); });
  report->decode_queueing_seconds =
      summarize([&](const Row& r) { return counted.Holds(r) && r.decode_queueing() != kUnset; },
                [](const Row& r) { return ToSeconds(r.decode_queueing()); });
  report->normalized_latency_seconds =
      summarize(finished, [](const Row& r) { return E2e(r) / r.output_tokens(); });
  report->max_itl_seconds =
      summarize(has_gaps, [](const Row& r) { return ToSeconds(r.max_itl()); });
  report->input_tokens = summarize(finished, [](const Row& r) { return r.input_tokens(); });
  report->output_tokens = summarize(finished, [](const Row& r) { return r.output_tokens(); });
}

// Of one client class.
struct ClassCounter {
  int64_t finished = 0;
  int64_t rejected = 0;
  SloCounter slo;
};

void SummarizeClasses(const Plan& plan, const RequestTable& table,
                      const std::vector<ClassCounter>& counters, Report* report) {
  if (counters.empty()) return;
  for (size_t c = 0; c < counters.size(); ++c) {
    const ClassCounter& counter = counters[c];
    ClassSummary& summary = report->classes.emplace_back();
    summary.name = plan.classes[c].name;
    summary.priority = plan.classes[c].priority;
    summary.finished = counter.finished;
    summary.rejected = counter.rejected;
    summary.slo = counter.slo.Summary(plan.classes[c].slo, counter.finished + counter.rejected,
                                      report->span_seconds);
  }
  const Counted counted(plan);
  Samples samples;
  const auto summarize = [&](Distribution ClassSummary::*distribution, auto applies, auto value) {
    const auto class_of = [&](const Row& r) {
      return applies(r) ? static_cast<size_t>(r.client_class()) : Samples::kNoGroup;
    };
    samples.FillGroups(table, counters.size(), class_of, value);
    for (size_t c = 0; c < counters.size(); ++c) {
      report->classes[c].*distribution = Summarize(samples.group(c));
    }
  };
  const auto finished = [&](const Row& r) { return counted.Holds(r); };
  const auto has_gaps = [&](const Row& r) { return counted.WithGaps(r); };
  summarize(&ClassSummary::ttft_seconds, finished, Ttft);
  summarize(&ClassSummary::tpot_seconds, has_gaps, Tpot);
  summarize(&ClassSummary::e2e_seconds, finished, E2e);
}

void SummarizeRequests(const Plan& plan, const Results& results, Report* report) {
  const ReportWindow window = plan.window.value_or(ReportWindow{});
  std::vector<ClassCounter> classes(plan.classes.size());
  SloCounter slo;
  Totals totals;
  // Without a window the span begins with the first request of all, ended or not.
  if (!plan.window) totals.first_arrival = results.first_arrival;
  results.records.ForEach([&](const Row& r) {
    const bool counts = window.Holds(r.arrival());
    ClassCounter* client =
        classes.empty() || !counts ? nullptr : &classes[static_cast<size_t>(r.client_class())];
    if (counts) totals.first_arrival = std::min(totals.first_arrival, r.arrival());
    if (!r.finished()) {
      CountRejected(r.reject_reason(), report);
      totals.rejected += counts;
      if (client != nullptr) ++client->rejected;
      return;
    }
    ++report->finished;
    report->preemptions += r.preemptions();
    if (!counts) return;
    totals.Finish(r);
    slo.Count(r, SloOf(plan, r));
    if (client == nullptr) return;
    ++client->finished;
    client->slo.Count(r, SloOf(plan, r));
  });
  report->total = plan.workload.num_requests;
  if (plan.workload.duration != kNever) {
    report->total = results.arrived;
    report->duration_seconds = ToSeconds(plan.workload.duration);
    report->endless_rejections = results.arrived == plan.workload.most_requests();
  }
  report->unfinished = results.arrived - static_cast<int64_t>(results.records.size());
  if (plan.window) report->window = {window, totals.finished, totals.rejected};
  SummarizeThroughput(totals, report);
  SummarizeMetrics(plan, results.records, report);
  report->slo =
      slo.Summary(AllObjectives(plan), totals.finished + totals.rejected, report->span_seconds);
  SummarizeClasses(plan, results.records, classes, report);
}

void SummarizeCache(const Plan& plan, const Results& results, Report* report) {
  const bool caches = std::any_of(plan.workers.begin(), plan.workers.end(),
                                  [](const WorkerPlan& worker) { return worker.prefix_caching; });
  if (!caches && !plan.memory_pool) return;
  CacheSummary& cache = report->cache.emplace();
  cache.pool = results.pool;
  results.records.ForEach([&](const Row& r) {
    if (!r.finished()) return;
    cache.input_tokens += r.input_tokens();
    cache.cached_tokens += r.cached_tokens();
  });
  if (cache.input_tokens > 0) {
    cache.hit_ratio =
        static_cast<double>(cache.cached_tokens) / static_cast<double>(cache.input_tokens);
  }
}

// Whether the worker that prefills a request may be another than the one that finishes it.
bool ChangesWorkers(const Plan& plan) {
  return plan.migrate_on_pressure || !plan.worker_events.empty() ||
         std::any_of(plan.workers.begin(), plan.workers.end(),
                     [](const WorkerPlan& worker) { return worker.role != Role::kBoth; });
}

void SummarizeTransfers(const Plan& plan, const Results& results, Report* report) {
  const Counted counted(plan);
  Samples kv_transfer;
  if (ChangesWorkers(plan)) {
    kv_transfer.Fill(
        results.records,
        [&](const Row& r) { return counted.Holds(r) && r.kv_transfer() != kUnset; },
        [](const Row& r) { return ToSeconds(r.kv_transfer()); });
  }
  if (kv_transfer.all().empty() && results.links.empty() && results.migrations == 0 &&
      results.redispatched == 0) {
    return;
  }
  TransferSummary& transfers = report->transfers.emplace();
  transfers.migrations = results.migrations;
  transfers.redispatched = results.redispatched;
  transfers.kv_transfer_seconds = Summarize(kv_transfer.all());
  for (const LinkSummary& link : results.links) {
    const double most = link.bytes_per_second * report->simulated_seconds;
    transfers.links.push_back({link, most > 0 ? static_cast<double>(link.bytes) / most : 0});
  }
}

double TimeAverage(__int128 integral, SimTime duration) {
  if (duration <= 0) return 0;
  return static_cast<double>(integral) / static_cast<double>(duration);
}

void SummarizeWorkers(const Plan& plan, const Results& results, Report* report) {
  const bool changes_workers = ChangesWorkers(plan);
  for (size_t i = 0; i < plan.workers.size(); ++i) {
    const WorkerPlan& worker = plan.workers[i];
    WorkerSummary& summary = report->workers.emplace_back();
    summary.name = worker.name;
    summary.hardware = worker.hardware;
    summary.stats = results.workers[i];
    summary.kv_blocks_total = worker.kv_blocks;
    summary.block_size = worker.block_size;
    summary.role = worker.role;
    summary.node = worker.node;
    summary.kv_bytes_per_block = worker.KvBlockBytes();
    summary.host_blocks_total = worker.host_blocks;
    if (changes_workers) summary.prefilled = summary.stats.prefilled;
    if (worker.compute != nullptr && (i == 0 || worker.compute != plan.workers[i - 1].compute)) {
      summary.operators = worker.compute->Sources();
    }
    summary.timeline = results.timelines[i];
    if (report->simulated_seconds <= 0) continue;
    summary.utilization = ToSeconds(summary.stats.busy) / report->simulated_seconds;
    const OccupancyIntegral& occupancy = summary.stats.occupancy;
    summary.mean_running = TimeAverage(occupancy.running, results.end_time);
    summary.mean_waiting = TimeAverage(occupancy.waiting, results.end_time);
    summary.mean_loading = TimeAverage(occupancy.loading, results.end_time);
    summary.mean_held = TimeAverage(occupancy.held, results.end_time);
    summary.mean_kv_utilization =
        TimeAverage(occupancy.kv_blocks, results.end_time) / static_cast<double>(worker.kv_blocks);
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
  report.mean_homeless = TimeAverage(results.homeless, results.end_time);
  SummarizeCache(plan, results, &report);
  SummarizeTransfers(plan, results, &report);
  const ServedRates served = {report.requests_per_second, report.input_tokens_per_second,
                              report.output_tokens_per_second};
  report.cost = SummarizeCost(plan, results, served);
  report.energy = SummarizeEnergy(plan, results, served);
  report.notes = MakeNotes(report, results);
  return report;
}

}  // namespace tokensim
