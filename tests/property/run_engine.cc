#include "tests/property/run_engine.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "engine/base/rng.h"
#include "engine/base/test_cases.h"

namespace tokensim {
namespace {

using Field = std::pair<std::string_view, int64_t>;

std::array<Field, 19> FieldsOf(const RequestRecord& r) {
  return {{{"request_id", r.request_id},
           {"arrival", r.arrival},
           {"queued", r.queued},
           {"scheduled", r.scheduled},
           {"first_token", r.first_token},
           {"finish", r.finish},
           {"max_itl", r.max_itl},
           {"input_tokens", r.input_tokens},
           {"output_tokens", r.output_tokens},
           {"cached_tokens", r.cached_tokens},
           {"worker", r.worker},
           {"preemptions", r.preemptions},
           {"reject_reason", static_cast<int64_t>(r.reject_reason)},
           {"client_class", r.client_class},
           {"turn", r.turn},
           {"prefill_worker", r.prefill_worker},
           {"conversation", r.conversation},
           {"kv_transfer", r.kv_transfer},
           {"decode_queueing", r.decode_queueing}}};
}

bool SameStats(const WorkerStats& a, const WorkerStats& b) {
  return a.finished == b.finished && a.iterations == b.iterations &&
         a.prefill_tokens == b.prefill_tokens && a.decode_tokens == b.decode_tokens &&
         a.preemptions == b.preemptions && a.busy == b.busy && a.occupancy == b.occupancy &&
         a.max_running == b.max_running && a.max_kv_blocks_used == b.max_kv_blocks_used &&
         a.prefilled == b.prefilled && a.swapped_out_blocks == b.swapped_out_blocks &&
         a.swapped_in_blocks == b.swapped_in_blocks &&
         a.max_host_blocks_used == b.max_host_blocks_used && a.unavailable == b.unavailable;
}

bool SameTimeline(const WorkerTimeline& a, const WorkerTimeline& b) {
  return a.interval == b.interval && a.running == b.running && a.waiting == b.waiting &&
         a.kv_blocks_used == b.kv_blocks_used && a.busy == b.busy && a.stored == b.stored &&
         a.loading == b.loading && a.held == b.held;
}

bool SameLink(const LinkSummary& a, const LinkSummary& b) {
  return a.name == b.name && a.transfers == b.transfers && a.bytes == b.bytes && a.busy == b.busy &&
         a.bytes_per_second == b.bytes_per_second;
}

bool SameTotals(const Results& a, const Results& b) {
  return a.migrations == b.migrations && a.homeless == b.homeless &&
         a.redispatched == b.redispatched && a.pool.hit_tokens == b.pool.hit_tokens &&
         a.pool.evicted_tokens == b.pool.evicted_tokens && a.pool.max_bytes == b.pool.max_bytes;
}

}  // namespace

uint64_t Seeds(uint64_t count) { return static_cast<uint64_t>(Cases(static_cast<int64_t>(count))); }

Results RunEngine(std::shared_ptr<const Plan> plan, Observer* observer, int64_t max_slice) {
  RngStream slices(plan->seed, "slices");
  Simulation simulation(std::move(plan), observer);
  while (!simulation.done()) {
    const auto slice = 1 + static_cast<int64_t>(slices.Below(static_cast<uint64_t>(max_slice)));
    const absl::Status status = simulation.Advance(slice);
    if (!status.ok()) {
      ADD_FAILURE() << status;
      break;
    }
  }
  return simulation.TakeResults();
}

Results RunEngineByEvents(std::shared_ptr<const Plan> plan, Observer* observer,
                          const std::function<void(const Simulation& simulation)>& check) {
  Simulation simulation(std::move(plan), observer);
  while (!simulation.done()) {
    const absl::Status status = simulation.Advance(1);
    if (!status.ok()) {
      ADD_FAILURE() << status;
      break;
    }
    check(simulation);
  }
  return simulation.TakeResults();
}

std::vector<RequestRecord> Sorted(const RequestTable& records) {
  std::vector<RequestRecord> rows = records.Rows();
  std::sort(rows.begin(), rows.end(), [](const RequestRecord& a, const RequestRecord& b) {
    return a.request_id < b.request_id;
  });
  return rows;
}

testing::AssertionResult SameRecords(const RequestTable& expected, const RequestTable& actual) {
  if (expected.size() != actual.size()) {
    return testing::AssertionFailure()
           << "expected " << expected.size() << " records, got " << actual.size();
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto want = FieldsOf(expected[i]);
    const auto got = FieldsOf(actual[i]);
    if (want == got) continue;
    auto failure = testing::AssertionFailure() << "record " << i << " differs:";
    for (size_t field = 0; field < want.size(); ++field) {
      failure << "\n  " << want[field].first << ": " << want[field].second;
      if (want[field] != got[field]) failure << " but got " << got[field].second;
    }
    return failure;
  }
  return testing::AssertionSuccess();
}

testing::AssertionResult SameResults(const Results& expected, const Results& actual) {
  if (expected.end_reason != actual.end_reason || expected.end_time != actual.end_time ||
      expected.events != actual.events || expected.arrived != actual.arrived) {
    return testing::AssertionFailure() << "end_reason, end_time, events or arrived differ";
  }
  if (!std::equal(expected.workers.begin(), expected.workers.end(), actual.workers.begin(),
                  actual.workers.end(), SameStats)) {
    return testing::AssertionFailure() << "worker statistics differ";
  }
  if (!std::equal(expected.timelines.begin(), expected.timelines.end(), actual.timelines.begin(),
                  actual.timelines.end(), SameTimeline)) {
    return testing::AssertionFailure() << "timelines differ";
  }
  if (!std::equal(expected.links.begin(), expected.links.end(), actual.links.begin(),
                  actual.links.end(), SameLink) ||
      !SameTotals(expected, actual)) {
    return testing::AssertionFailure() << "links, migrations, redispatches or the pool differ";
  }
  return SameRecords(expected.records, actual.records);
}

}  // namespace tokensim
