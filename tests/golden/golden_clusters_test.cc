// What 2,000 random clusters give: every event, record and figure.
#include <gtest/gtest.h>

#include <string>

#include "engine/cluster/simulation.h"
#include "tests/golden/digest_file.h"
#include "tests/property/event_log.h"
#include "tests/property/random_cluster.h"

namespace tokensim {
namespace {

void AddRecord(const RequestRecord& r, Fnv1a* digest) {
  for (const int64_t field : std::initializer_list<int64_t>{
           r.request_id, r.arrival, r.queued, r.scheduled, r.first_token, r.finish, r.max_itl,
           int64_t{r.input_tokens}, int64_t{r.output_tokens}, int64_t{r.cached_tokens},
           int64_t{r.worker}, int64_t{r.preemptions}, static_cast<int64_t>(r.reject_reason),
           int64_t{r.client_class}, int64_t{r.turn}, int64_t{r.prefill_worker}, r.conversation,
           r.kv_transfer, r.decode_queueing}) {
    digest->Add(field);
  }
}

void AddStats(const WorkerStats& s, Fnv1a* digest) {
  for (const int64_t field : std::initializer_list<int64_t>{
           s.finished, s.iterations, s.prefill_tokens, s.decode_tokens, s.preemptions, s.busy,
           int64_t{s.max_running}, s.max_kv_blocks_used, s.prefilled, s.swapped_out_blocks,
           s.swapped_in_blocks, s.max_host_blocks_used, s.unavailable}) {
    digest->Add(field);
  }
}

std::string RecordsOf(const Results& results) {
  Fnv1a digest;
  digest.Add(static_cast<int64_t>(results.end_reason)).Add(results.end_time).Add(results.arrived);
  digest.Add(results.migrations).Add(results.redispatched).Add(results.pool.hit_tokens);
  for (const RequestRecord& record : results.records) AddRecord(record, &digest);
  for (const WorkerStats& stats : results.workers) AddStats(stats, &digest);
  return digest.hex();
}

// Averages over time.
std::string AveragesOf(const Results& results) {
  Fnv1a digest;
  const auto add = [&digest](__int128 integral) {
    digest.Add(static_cast<int64_t>(integral)).Add(static_cast<int64_t>(integral >> 64));
  };
  for (const WorkerStats& stats : results.workers) {
    const OccupancyIntegral& o = stats.occupancy;
    for (const auto integral : {o.running, o.waiting, o.loading, o.held, o.kv_blocks}) {
      add(integral);
    }
  }
  add(results.homeless);
  for (const WorkerTimeline& timeline : results.timelines) {
    for (const auto* column :
         {&timeline.running, &timeline.waiting, &timeline.kv_blocks_used, &timeline.busy,
          &timeline.stored, &timeline.loading, &timeline.held}) {
      for (const double value : *column) digest.Add(value);
    }
  }
  for (const double bytes : results.pool.bytes) digest.Add(bytes);
  return digest.hex();
}

std::string EventsOf(const std::shared_ptr<const Plan>& plan) {
  EventLog log;
  Simulation simulation(plan, &log);
  while (!simulation.done() && simulation.Advance(1'000'000).ok()) {
  }
  Fnv1a digest;
  for (const std::string& event : log.Before(kNever)) digest.Add(event).Add("\n");
  return digest.hex();
}

TEST(GoldenTest, RandomClusters) {
  DigestFile file("clusters.txt");
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    const std::shared_ptr<const Plan> plan = RandomCluster(seed);
    Simulation simulation(plan);
    while (!simulation.done()) ASSERT_TRUE(simulation.Advance(1'000'000).ok()) << seed;
    std::string name = std::to_string(seed);
    name.insert(0, 4 - name.size(), '0');
    file.Check(name, {{"records", RecordsOf(simulation.results())},
                      {"averages", AveragesOf(simulation.results())},
                      {"events", EventsOf(plan)}});
  }
}

}  // namespace
}  // namespace tokensim
