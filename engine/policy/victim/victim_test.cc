// Who is preempted, on a worker state driven by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/policy/defaults.h"
#include "engine/policy/victim/registry.h"
#include "engine/worker/worker_state.h"

namespace tokensim {
namespace {

struct Client {
  int32_t priority = 0;
  SimTime arrival = 0;
};

// Which of the running requests, admitted in this order, loses its place when each of them needs
// another block and there is none.
size_t FirstVictim(std::string_view victim, const std::vector<Client>& clients) {
  RequestSlab slab;
  LocalSchedulerConfig config;
  config.victim = Victims().Make(victim);
  AddDefaultPolicies(&config);
  const auto blocks = static_cast<int64_t>(clients.size());
  WorkerState state(slab, {.kv_blocks = blocks, .block_size = 4}, config);
  Batch batch;
  state.BeginBatch(&batch, 0);
  std::vector<RequestHandle> handles;
  for (const Client& client : clients) {
    const RequestHandle handle = slab.Allocate();
    slab[handle].input_tokens = 4;
    slab[handle].output_tokens = 10;
    slab[handle].priority = client.priority;
    slab[handle].arrival = client.arrival;
    handles.push_back(handle);
    state.Enqueue(handle, 0);
    state.AdmitFront(state.PlanFront(), 4);
  }
  state.Start(batch, 0, 1);
  state.Advance(&batch, 1);
  Batch next;
  state.BeginBatch(&next, 1);
  EXPECT_TRUE(state.PreemptForDecodes());
  const auto at = std::find(handles.begin(), handles.end(), next.preempted[0].request);
  return static_cast<size_t>(at - handles.begin());
}

TEST(VictimTest, LastAdmittedTakesTheTail) {
  EXPECT_EQ(FirstVictim("last_admitted", {{0, 0}, {5, 9}, {1, 1}}), 2U);
}

TEST(VictimTest, LowestPriorityTakesTheLastToArriveOfThese) {
  EXPECT_EQ(FirstVictim("lowest_priority", {{0, 0}, {5, 9}, {1, 1}}), 1U);
  EXPECT_EQ(FirstVictim("lowest_priority", {{5, 3}, {5, 9}, {5, 1}}), 1U);
  EXPECT_EQ(FirstVictim("lowest_priority", {{5, 3}, {5, 3}, {0, 3}}), 1U);  // ties: the later
}

}  // namespace
}  // namespace tokensim
