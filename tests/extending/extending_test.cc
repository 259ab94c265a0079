// The examples of docs/extending.md, put into plans: what each of them changes.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "engine/cluster/test_plan.h"
#include "engine/compute/backend.h"
#include "engine/io/trace/trace_reader.h"
#include "engine/memory/eviction.h"
#include "engine/model/transformer.h"
#include "engine/policy/evict/registry.h"
#include "engine/policy/global/registry.h"
#include "engine/policy/local/registry.h"

namespace tokensim {

extern const LocalSchedulerEntry kFewPromptsScheduler;
extern const GlobalSchedulerEntry kLongApartRouter;
extern const EvictionEntry kLongLruEviction;
extern const TraceFormat kGatewayLog;
extern const BackendEntry kBandwidthBackend;
extern const ArrivalEntry kOnOffArrivals;

namespace {

// A registry of that entry alone makes its factory.
template <typename Factory>
std::shared_ptr<const Factory> Make(const PolicyEntry<Factory>& entry,
                                    const NamedValues& values = {}) {
  const PolicyEntry<Factory>* const entries[] = {&entry};
  return PolicyRegistry<Factory>("example", entries).Make(entry.name, values);
}

// Three prompts at once, each of 10 tokens: 10 ms together with its share of an iteration.
TEST(ExtendingTest, ALocalScheduler) {
  const auto first_tokens = [](std::shared_ptr<const LocalSchedulerFactory> policy) {
    const auto plan =
        MakePlan({{0, 10, 3}, {0, 10, 3}, {0, 10, 3}}, {MakeWorker(Role::kBoth, 1000)});
    plan->workers[0].scheduler.policy = std::move(policy);
    std::vector<SimTime> times;
    for (const RequestRecord& r : RunPlan(plan).records) times.push_back(r.first_token / kMs);
    return times;
  };
  using Times = std::vector<SimTime>;
  EXPECT_EQ(first_tokens(LocalSchedulers().Make("orca")), (Times{40, 40, 40}));
  EXPECT_EQ(first_tokens(Make(kFewPromptsScheduler)), (Times{20, 42, 66}));
  EXPECT_EQ(first_tokens(Make(kFewPromptsScheduler, {{"prompts_per_iteration", 2}})),
            (Times{30, 30, 54}));
}

TEST(ExtendingTest, ARouter) {
  const auto workers_of = [](std::shared_ptr<const GlobalSchedulerFactory> policy, int workers) {
    const auto plan =
        MakePlan({{0, 200, 3}, {1, 10, 3}, {2, 10, 3}, {3, 300, 3}, {4, 10, 3}},
                 std::vector<WorkerPlan>(static_cast<size_t>(workers), MakeWorker(Role::kBoth)));
    plan->global_scheduler = std::move(policy);
    std::vector<int32_t> chosen;
    for (const RequestRecord& r : RunPlan(plan).records) chosen.push_back(r.worker);
    return chosen;
  };
  using Workers = std::vector<int32_t>;
  EXPECT_EQ(workers_of(GlobalSchedulers().Make("least_requests"), 3), (Workers{0, 1, 2, 0, 1}));
  EXPECT_EQ(workers_of(Make(kLongApartRouter, {{"long_tokens", 200}}), 3),
            (Workers{2, 0, 1, 2, 0}));
  EXPECT_EQ(workers_of(Make(kLongApartRouter), 3), (Workers{0, 1, 0, 1, 0})) << "none is long";
  EXPECT_EQ(workers_of(Make(kLongApartRouter), 1), (Workers{0, 0, 0, 0, 0}));
}

// Conversations 0, 1 and 2 of two turns each, and room for two of their caches of 5 tokens. While
// turn 1 of conversation 0 runs, whose cache is in the pool and used, that of 2 needs room.
TEST(ExtendingTest, AnEviction) {
  const auto cached = [](std::shared_ptr<const EvictionFactory> eviction) {
    const auto plan = MakePlan({{0, 4, 2},
                                {100 * kMs, 4, 2},
                                {200 * kMs, 4, 20},
                                {230 * kMs, 4, 2},
                                {700 * kMs, 4, 2},
                                {900 * kMs, 4, 2}},
                               {MakeWorker(Role::kBoth)});
    auto trace = std::make_shared<TraceTable>(*plan->workload.trace);
    trace->conversation = {0, 1, 0, 2, 1, 2};
    plan->workload.trace = trace;
    plan->memory_pool = {.capacity_bytes = 12'000, .eviction = std::move(eviction)};
    int32_t tokens = 0;
    for (const RequestRecord& r : RunPlan(plan).records) {
      if (r.conversation == 1 && r.turn == 1) tokens = r.cached_tokens;
    }
    return tokens;
  };
  EXPECT_EQ(cached(Evictions().Make("lru")), 0);
  EXPECT_EQ(cached(Make(kLongLruEviction)), 4) << "that of conversation 0 went, though used";
  EXPECT_EQ(cached(Make(kLongLruEviction, {{"long_tokens", 5}})), 0) << "now all are long";
}

TEST(ExtendingTest, AnArrivalProcess) {
  const auto plan = MakePlan({{0, 4, 1}}, {MakeWorker(Role::kBoth, 10'000)});
  plan->workload.num_requests = 4'000;
  plan->workload.arrivals.process =
      Make(kOnOffArrivals, {{"rate_per_second", 10}, {"on_seconds", 20}, {"off_seconds", 30}});
  std::vector<int> in_cycle(8);
  for (const RequestRecord& r : RunPlan(plan).records) {
    const double seconds = std::fmod(ToSeconds(r.arrival), 50);
    EXPECT_LE(seconds, 20) << "while it is off";
    ++in_cycle[static_cast<size_t>(std::min(r.arrival / (50 * kNanosPerSecond), SimTime{7}))];
  }
  for (size_t i = 0; i < 7; ++i) EXPECT_NEAR(in_cycle[i], 200, 60) << i;
  const auto process = plan->workload.arrivals.process->Make({plan->workload});
  EXPECT_EQ(process->ExpectedWithin(110), 10 * (20 + 20 + 10));
  EXPECT_THROW(Make(kOnOffArrivals), InvariantError) << "the rate must be given";
}

TEST(ExtendingTest, ATraceFormat) {
  const std::string log =
      "{\"received_ms\": 5000, \"prompt_tokens\": 10, \"completion_tokens\": 3, \"user\": \"a\"}\n"
      "{\"received_ms\": 5010, \"prompt_tokens\": 7, \"completion_tokens\": 0}\n"
      "{\"received_ms\": 5250.5, \"prompt_tokens\": 20, \"completion_tokens\": 1}\n";
  const auto table = ParseTrace(log, "log", &kGatewayLog, {});
  ASSERT_TRUE(table.ok()) << table.status();
  const auto plan = MakePlan({}, {MakeWorker(Role::kBoth)});
  plan->workload.trace = std::make_shared<TraceTable>(*table);
  plan->workload.num_requests = table->size();
  const Results results = RunPlan(plan);
  ASSERT_EQ(results.records.size(), 2u) << "a failed request is skipped";
  EXPECT_EQ(results.records[1].arrival, 250 * kMs + kMs / 2);
  EXPECT_EQ(results.records[1].input_tokens, 20);
  EXPECT_EQ(results.records[1].finish, 280 * kMs + kMs / 2);
  const auto bad =
      ParseTrace("{\"received_ms\": 1, \"prompt_tokens\": 10}", "log", &kGatewayLog, {});
  EXPECT_EQ(std::string(bad.status().message()), "log:1: no key completion_tokens");
}

TEST(ExtendingTest, AComputeBackend) {
  BackendContext context;
  context.model = TransformerConfig{.num_layers = 2,
                   .hidden_size = 64,
                   .num_attention_heads = 4,
                   .num_kv_heads = 2,
                   .head_dim = 16,
                   .intermediate_size = 128,
                   .vocab_size = 1000};
  context.device.memory_bandwidth_bytes_per_second = 1e8;
  const double weights = static_cast<double>(WeightBytesPerDevice(context.model, {}));
  const double token = static_cast<double>(KvBytesPerTokenPerDevice(context.model, {}));
  for (const double efficiency : {1.0, 0.5}) {
    const auto plan = MakePlan({{0, 10, 2}}, {MakeWorker(Role::kBoth)});
    plan->workers[0].compute = Make(kBandwidthBackend, {{"efficiency", efficiency}})->Make(context);
    const RequestRecord record = RunPlan(plan).records[0];
    // A prompt of 10 tokens, then a token that attends to 11.
    EXPECT_EQ(record.first_token, std::llround((weights + token * 10) / (1e8 * efficiency) * 1e9));
    EXPECT_EQ(record.finish - record.first_token,
              std::llround((weights + token * 11) / (1e8 * efficiency) * 1e9));
  }
}

}  // namespace
}  // namespace tokensim
