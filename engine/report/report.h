// The summary of a run: percentiles, throughput, SLO goodput, client classes, caches, transfers,
// workers over time.
//
//   Report report = BuildReport(plan, simulation.results());
//
// Definitions: docs/metrics.md. Everything is a function of the results; wall-clock facts are added
// by the caller. Percentiles are exact: linear interpolation between order statistics, as numpy's
// default. Averages of a distribution with no sample are 0 with count 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/report/cost.h"
#include "engine/run/plan.h"
#include "engine/run/results.h"

namespace tokensim {

struct Distribution {
  int64_t count = 0;
  double mean = 0;
  double stddev = 0;  // of the population
  double min = 0;
  double p50 = 0;
  double p90 = 0;
  double p95 = 0;
  double p99 = 0;
  double max = 0;
};

struct SloSummary {
  int64_t met = 0;
  double attainment = 0;  // met / (finished + rejected)
  double goodput_requests_per_second = 0;
  double goodput_output_tokens_per_second = 0;
  std::optional<int64_t> met_ttft;
  std::optional<int64_t> met_tpot;
  std::optional<int64_t> met_max_itl;
  std::optional<int64_t> met_e2e;
};

// Requests of one client class.
struct ClassSummary {
  std::string name;
  int32_t priority = 0;
  int64_t finished = 0;
  int64_t rejected = 0;
  Distribution ttft_seconds;
  Distribution tpot_seconds;
  Distribution e2e_seconds;
  std::optional<SloSummary> slo;
};

// What was not computed again.
struct CacheSummary {
  int64_t input_tokens = 0;   // of finished requests
  int64_t cached_tokens = 0;  // of them, found in a prefix cache or the memory pool
  double hit_ratio = 0;
  PoolStats pool;
};

// KV caches that moved.
struct TransferSummary {
  struct Link {
    LinkSummary use;
    double utilization = 0;  // bytes / (bandwidth x simulated time); 0 when not limited
  };
  std::vector<Link> links;
  int64_t migrations = 0;
  int64_t redispatched = 0;
  Distribution kv_transfer_seconds;  // of finished requests that moved
};

// What counts in throughput, distributions, SLO and classes: requests that arrived in the window.
struct WindowSummary {
  ReportWindow window;
  int64_t finished = 0;
  int64_t rejected = 0;
};

struct WorkerSummary {
  std::string name;
  std::string hardware;
  WorkerStats stats;
  double utilization = 0;
  double mean_running = 0;
  double mean_waiting = 0;
  double mean_loading = 0;
  double mean_held = 0;
  double mean_kv_utilization = 0;
  int64_t kv_blocks_total = 0;
  int32_t block_size = 0;
  Role role = Role::kBoth;
  int32_t node = 0;
  int64_t kv_bytes_per_block = 0;  // 0: unknown
  int64_t host_blocks_total = 0;
  int64_t prefilled = 0;  // first tokens; only counted where requests may change workers
  std::vector<OperatorSource> operators;  // of the first worker with a compute model
  WorkerTimeline timeline;
};

struct Report {
  std::string spec_name;
  uint64_t seed = 0;
  EndReason end_reason = EndReason::kNone;
  int64_t total = 0;
  int64_t finished = 0;
  int64_t rejected_max_model_len = 0;
  int64_t rejected_kv_capacity = 0;
  int64_t rejected_no_worker = 0;
  int64_t unfinished = 0;
  int64_t preemptions = 0;  // of finished requests
  int64_t events = 0;
  double simulated_seconds = 0;

  double duration_seconds = 0;  // arrivals end then; 0: after `total`
  // Clients of a closed loop would have sent requests that are rejected without end.
  bool endless_rejections = false;
  std::optional<WindowSummary> window;

  double span_seconds = 0;  // first arrival to last finish, of the requests that count
  double requests_per_second = 0;
  double input_tokens_per_second = 0;
  double output_tokens_per_second = 0;

  Distribution ttft_seconds;
  Distribution tpot_seconds;
  Distribution e2e_seconds;
  Distribution queueing_seconds;
  Distribution decode_queueing_seconds;  // of those that were handed on
  double mean_homeless = 0;              // requests that waited for a worker to serve
  Distribution normalized_latency_seconds;
  Distribution max_itl_seconds;
  Distribution input_tokens;
  Distribution output_tokens;
  std::optional<SloSummary> slo;
  std::vector<WorkerSummary> workers;
  std::vector<std::string> notes;
  std::vector<ClassSummary> classes;         // one per class of the plan
  std::optional<CacheSummary> cache;         // with prefix caching or a memory pool
  std::optional<TransferSummary> transfers;  // when something moved
  std::optional<CostSummary> cost;           // with a price of every device
  std::optional<EnergySummary> energy;       // with the watts of every device

  [[nodiscard]] int64_t rejected() const {
    return rejected_max_model_len + rejected_kv_capacity + rejected_no_worker;
  }
};

[[nodiscard]] Report BuildReport(const Plan& plan, const Results& results);

}  // namespace tokensim
