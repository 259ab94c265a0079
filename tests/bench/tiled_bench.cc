// Speed of the compute model `tiled`: one mapping of a GEMM, one iteration, the tables of a worker.
//
//   build/release/test/tiled_bench --benchmark_repetitions=5
#include <benchmark/benchmark.h>

#include "engine/compute/tiled/gemm_mapper.h"
#include "engine/compute/tiled/tiled_pricer.h"
#include "engine/io/plan/test_presets.h"

namespace tokensim {
namespace {

// Every mapping of one GEMM of Llama-3.1-8B is searched.
void MapGemm(benchmark::State& state) {
  const GemmMapper mapper(
      TiledMachine(ReadTiledPreset("a100-80g-tiled"), ReadHardwarePreset("a100-80g-tiled")), 2, 1);
  double rows = 0;
  for (auto _ : state) {
    rows = rows < 2048 ? rows + 1 : 1;
    benchmark::DoNotOptimize(mapper.Map({.rows = rows, .inner = 4096, .outer = 28672}));
  }
}
BENCHMARK(MapGemm);

void FillTables(benchmark::State& state) {
  const TransformerConfig model = ReadModelPreset("llama3.1-8b");
  const DeviceConfig device = ReadHardwarePreset("a100-80g-tiled");
  const TiledDeviceConfig tiles = ReadTiledPreset("a100-80g-tiled");
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        MakeTiledModel(model, device, tiles, {}, static_cast<int32_t>(state.range(0))));
  }
}
BENCHMARK(FillTables)->Arg(2048)->Arg(16384)->Unit(benchmark::kMillisecond);

// A mixed iteration after warm-up: 64 decodes and a chunk.
void Iteration(benchmark::State& state) {
  const auto compute =
      MakeTiledModel(ReadModelPreset("llama3.1-8b"), ReadHardwarePreset("a100-80g-tiled"),
                     ReadTiledPreset("a100-80g-tiled"), {}, 2048);
  const PrefillChunk chunk{.new_tokens = 512, .history = 700};
  int64_t context = 0;
  for (auto _ : state) {
    context = context < 1'000'000 ? context + 64 : 64;
    benchmark::DoNotOptimize(compute->IterationSeconds({.decode_count = 64,
                                                        .decode_context = context,
                                                        .sampled_count = 65,
                                                        .prefill_tokens = 512,
                                                        .prefill = {&chunk, 1}}));
  }
}
BENCHMARK(Iteration);

}  // namespace
}  // namespace tokensim

BENCHMARK_MAIN();
