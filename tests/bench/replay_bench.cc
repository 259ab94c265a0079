// Speed of an event stream before it meets the network: the engine's replay and its encoding as
// protobuf batches of 64 KiB; and the memory of a stream, in runs of different lengths.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "engine/io/events/replay_reader.h"
#include "engine/io/plan/prepare.h"
#include "engine/io/yaml/yaml.h"

namespace tokensim {
namespace {

constexpr const char kSpec[] = R"(
model: llama2-7b
workers: [{hardware: a100-80g}]
workload: {num_requests: 20000, arrival: {poisson: {rate_per_second: 8}}, lengths: sharegpt}
)";

constexpr const char kClusterSpec[] = R"(
model: llama2-7b
workers: [{hardware: a100-80g, count: 64}]
global_scheduler: {policy: least_requests}
workload: {num_requests: 20000, arrival: {poisson: {rate_per_second: 512}}, lengths: sharegpt}
)";

PreparedSpec Prepare(const char* yaml, int64_t requests = 0) {
  v1::Spec spec;
  if (!ParseYaml(yaml, "spec", &spec).empty()) std::abort();
  if (requests > 0) spec.mutable_workload()->set_num_requests(requests);
  PreparedSpec prepared = PrepareSpec(spec, TracePolicy::NoPaths());
  if (!prepared.ok()) std::abort();
  return prepared;
}

void Replay(benchmark::State& state, bool drop_everything) {
  const PreparedSpec prepared = Prepare(kSpec);
  ReplayOptions options;
  if (drop_everything) options.filter.add_kinds(v1::EVENT_KIND_SIMULATION_ENDED);
  int64_t events = 0, bytes = 0;
  for (auto _ : state) {
    ReplayReader reader(prepared.plan, options);
    v1::EventBatch batch;
    ReplayReader::Outcome outcome;
    do {
      outcome = reader.Read(20'000, &batch);
      if (outcome == ReplayReader::Outcome::kFailed) {
        state.SkipWithError("replay failed");
        return;
      }
      bytes += static_cast<int64_t>(batch.ByteSizeLong());
    } while (outcome != ReplayReader::Outcome::kEnd);
    events += batch.covered_through();
  }
  using benchmark::Counter;
  state.counters["events/s"] = Counter(static_cast<double>(events), Counter::kIsRate);
  state.counters["bytes/event"] = static_cast<double>(bytes) / static_cast<double>(events);
}

// The most that a stream has allocated between two reads, of a run of state.range(0) requests.
void StreamMemory(benchmark::State& state, const char* yaml) {
  const PreparedSpec prepared = Prepare(yaml, state.range(0));
  ReplayOptions options;
  options.filter.add_kinds(v1::EVENT_KIND_SIMULATION_ENDED);
  size_t most = 0;
  for (auto _ : state) {
    const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    ReplayReader reader(prepared.plan, options);
    v1::EventBatch batch;
    while (reader.Read(100'000, &batch) == ReplayReader::Outcome::kYield) {
      most = std::max(most, mallinfo2().uordblks + mallinfo2().hblkhd - before);
    }
  }
  state.counters["MiB"] = static_cast<double>(most) / (1 << 20);
}

BENCHMARK_CAPTURE(StreamMemory, 1_worker, kSpec)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(StreamMemory, 64_workers, kClusterSpec)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Replay, every_event, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Replay, fast_forward, true)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tokensim

BENCHMARK_MAIN();
