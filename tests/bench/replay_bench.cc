// Speed of an event stream before it meets the network: the engine's replay and its encoding as
// protobuf batches of 64 KiB.
#include <benchmark/benchmark.h>
#include <google/protobuf/arena.h>

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

void Replay(benchmark::State& state, bool drop_everything) {
  v1::Spec spec;
  if (!ParseYaml(kSpec, "spec", &spec).empty()) std::abort();
  const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::NoPaths());
  if (!prepared.ok()) std::abort();
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

BENCHMARK_CAPTURE(Replay, every_event, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Replay, fast_forward, true)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tokensim

BENCHMARK_MAIN();
