// What a replay holds does not grow with the length of the run. Counts the bytes that are allocated
// through operator new, so it is a program of its own.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "engine/compute/affine.h"
#include "engine/io/events/replay_reader.h"
#include "engine/run/plan.h"
#include "engine/workload/test_traffic.h"

namespace {

std::atomic<int64_t> allocated = 0;

void* Allocate(size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  allocated += static_cast<int64_t>(malloc_usable_size(memory));
  return memory;
}

void Free(void* memory) {
  if (memory == nullptr) return;
  allocated -= static_cast<int64_t>(malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

void* operator new(size_t size) { return Allocate(size); }
void* operator new[](size_t size) { return Allocate(size); }
void operator delete(void* memory) noexcept { Free(memory); }
void operator delete[](void* memory) noexcept { Free(memory); }
void operator delete(void* memory, size_t) noexcept { Free(memory); }
void operator delete[](void* memory, size_t) noexcept { Free(memory); }

namespace tokensim {
namespace {

// One worker, loaded to about a half.
std::shared_ptr<const Plan> SteadyPlan(int64_t requests) {
  auto plan = std::make_shared<Plan>();
  plan->workers.push_back(
      {.name = "gpu/0",
       .hardware = "none",
       .compute = MakeAffineModel({.iteration_seconds = 0.01, .prefill_token_seconds = 1e-6}),
       .kv_blocks = 10'000,
       .max_model_len = 1000});
  plan->workload.num_requests = requests;
  plan->workload.arrivals = PoissonArrivals{50};
  plan->workload.lengths = IndependentLengths{UniformLength{1, 100}, UniformLength{1, 30}};
  return plan;
}

// The most bytes that a replay had allocated between two reads.
int64_t MostAllocated(const std::shared_ptr<const Plan>& plan, const ReplayOptions& options) {
  const int64_t before = allocated;
  int64_t most = 0;
  ReplayReader reader(plan, options);
  v1::EventBatch batch;
  ReplayReader::Outcome outcome;
  do {
    outcome = reader.Read(1000, &batch);
    most = std::max(most, allocated - before);
  } while (outcome != ReplayReader::Outcome::kEnd && outcome != ReplayReader::Outcome::kFailed);
  EXPECT_EQ(outcome, ReplayReader::Outcome::kEnd);
  EXPECT_TRUE(reader.ended());
  return most;
}

void ExpectNoGrowth(const ReplayOptions& options) {
  const int64_t short_run = MostAllocated(SteadyPlan(5'000), options);
  const int64_t long_run = MostAllocated(SteadyPlan(50'000), options);
  EXPECT_GT(short_run, 10'000);
  // The longer run has seen a little more at once. A byte per request would be 45,000.
  EXPECT_LT(long_run, short_run + 30'000);
}

TEST(ReplayMemoryTest, DoesNotGrowWithTheRun) { ExpectNoGrowth({}); }

TEST(ReplayMemoryTest, DoesNotGrowWhenNothingPassesTheFilter) {
  ReplayOptions options;
  options.filter.add_kinds(v1::EVENT_KIND_SIMULATION_ENDED);
  ExpectNoGrowth(options);
}

}  // namespace
}  // namespace tokensim
