// Memory that is not there, at every place of a run: this binary's operator new fails when told to.
#include <atomic>
#include <cstdlib>
#include <new>

#include "server/session/runner_test_fixture.h"

namespace {

// The allocation of this thread that fails, counted down; -1: none.
thread_local int64_t allocations_left = -1;

void* Allocate(size_t size) {
  if (allocations_left >= 0 && allocations_left-- == 0) throw std::bad_alloc();
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// A repeated field of protobuf that cannot grow forgets the element it was to hold, which is
// protobuf's to repair: LeakSanitizer is to report every other leak.
extern "C" const char* __lsan_default_suppressions() {  // NOLINT
  return "leak:google::protobuf::internal::RepeatedPtrFieldBase\n"
         "leak:google::protobuf::internal::GenericTypeHandler\n";
}

void* operator new(size_t size) { return Allocate(size); }
void* operator new[](size_t size) { return Allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace tokensim {
namespace {

using RunnerMemoryTest = RunnerTest;

// Fails the first allocation of the thread that runs the simulation, then the second, and so on
// until a run needs no more of them: constructing the engine, advancing, reporting and keeping the
// end. Each fails that run only, and the next run on the same thread goes as far as it may.
TEST_F(RunnerMemoryTest, FailsThatRunOnly) {
  Start({.threads = 1});
  // protobuf builds its tables of types when they are first needed, and does not survive it when
  // that fails: a run before has them built.
  const SimulationRecord first = Store("first", MakeTestSpec(3));
  Queue(first);
  ASSERT_EQ(WaitForEnd(first).state, v1::Simulation::SUCCEEDED);

  int64_t failing = 0;
  std::atomic<bool> none_failed = false;
  journal_.on_started = [&] { allocations_left = failing; };
  journal_.on_finished = [&] {
    none_failed = allocations_left >= 0;
    allocations_left = -1;
  };
  int64_t failures = 0;
  for (; !none_failed; ++failing) {
    const SimulationRecord record = Store("s" + std::to_string(failing), MakeTestSpec(3));
    Queue(record);
    const SimulationRecord ended = WaitForEnd(record);
    const bool failed = ended.state == v1::Simulation::FAILED;
    ASSERT_TRUE(failed || ended.state == v1::Simulation::SUCCEEDED) << "allocation " << failing;
    ASSERT_EQ(ended.report == nullptr, failed);
    ASSERT_EQ(ended.error.message().find("memory") != std::string::npos, failed)
        << ended.error.ShortDebugString();
    failures += failed ? 1 : 0;
    ASSERT_TRUE(memory_.Delete(record.name, {}).ok());
  }
  EXPECT_GT(failures, 50);
  EXPECT_EQ(journal_.Count("FAILED"), failures);
  EXPECT_EQ(journal_.Count("FAILED") + journal_.Count("SUCCEEDED"), failing + 1);
}

}  // namespace
}  // namespace tokensim
