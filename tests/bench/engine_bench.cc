// Speed of the engine on the example specs: a whole run, from the first arrival to the report.
//
//   build/release/test/engine_bench --benchmark_repetitions=5
//
// Counters: simulated requests per CPU-second, tokens per CPU-second, time per iteration of a
// worker. Memory is kept between runs, so the kernel's zeroing of fresh pages is left out: the
// whole commands of tests/bench/run.sh have it.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "engine/cluster/simulation.h"
#include "engine/io/plan/prepare.h"
#include "engine/io/yaml/yaml.h"
#include "engine/report/report.h"

namespace tokensim {
namespace {

v1::Spec LoadExample(const std::string& name) {
  const std::string path = std::string(TOKENSIM_SOURCE_DIR) + "/configs/examples/" + name;
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  v1::Spec spec;
  for (const YamlError& error : ParseYaml(text.str(), path, &spec)) {
    std::cerr << error.ToString() << "\n";
    std::exit(1);
  }
  return spec;
}

PreparedSpec PrepareExample(const std::string& name) {
  PreparedSpec prepared = PrepareSpec(LoadExample(name), TracePolicy::NoPaths());
  if (!prepared.ok()) {
    for (const v1::Finding& finding : prepared.findings) {
      std::cerr << name << ": " << finding.field() << ": " << finding.message() << "\n";
    }
    std::exit(1);
  }
  return prepared;
}

void RunExample(benchmark::State& state, const std::string& name) {
  const PreparedSpec prepared = PrepareExample(name);
  int64_t requests = 0, tokens = 0, iterations = 0;
  for (auto _ : state) {
    Simulation simulation(prepared.plan);
    while (!simulation.done()) {
      if (const absl::Status status = simulation.Advance(1'000'000); !status.ok()) {
        state.SkipWithError(std::string(status.message()).c_str());
        return;
      }
    }
    const Report report = BuildReport(*prepared.plan, simulation.results());
    benchmark::DoNotOptimize(&report);
    requests += report.total;
    for (const WorkerSummary& worker : report.workers) {
      tokens += worker.stats.prefill_tokens + worker.stats.decode_tokens;
      iterations += worker.stats.iterations;
    }
  }
  using benchmark::Counter;
  state.counters["requests/s"] = Counter(static_cast<double>(requests), Counter::kIsRate);
  state.counters["tokens/s"] = Counter(static_cast<double>(tokens), Counter::kIsRate);
  state.counters["s/iteration"] =
      Counter(static_cast<double>(iterations), Counter::kIsRate | Counter::kInvert);
}

// What happens before the first event: checking and compiling the spec, making the simulation.
void StartUp(benchmark::State& state, const std::string& name) {
  const v1::Spec spec = LoadExample(name);
  for (auto _ : state) {
    const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::NoPaths());
    Simulation simulation(prepared.plan);
    benchmark::DoNotOptimize(&simulation);
  }
}

void ReadSpec(benchmark::State& state, const std::string& name) {
  for (auto _ : state) {
    v1::Spec spec = LoadExample(name);
    benchmark::DoNotOptimize(&spec);
  }
}

constexpr const char k2000[] = "llama2-7b-a100-sharegpt.yaml";
constexpr const char k50000[] = "llama2-7b-a100-sharegpt-50k.yaml";
constexpr const char kOverload[] = "llama2-7b-a100-overload.yaml";
constexpr const char kCluster[] = "cluster-64-least-requests.yaml";
// 100,000 requests each.
constexpr const char kLeastKv[] = "least-kv-64.yaml";
constexpr const char kPrefixAffinity[] = "prefix-affinity-64.yaml";
constexpr const char kDisaggregated[] = "disaggregated-32-32.yaml";

BENCHMARK_CAPTURE(ReadSpec, yaml, k2000)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(StartUp, one_worker, k2000)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(StartUp, 64_workers, kCluster)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(RunExample, sharegpt_2k_8rps, k2000)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(RunExample, sharegpt_50k_8rps, k50000)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(RunExample, sharegpt_50k_32rps, kOverload)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(RunExample, 64_workers_1M_640rps, kCluster)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(RunExample, 64_workers_least_kv, kLeastKv)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(RunExample, 64_workers_prefix_affinity, kPrefixAffinity)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(RunExample, 32_prefill_32_decode, kDisaggregated)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tokensim

int main(int argc, char** argv) {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
