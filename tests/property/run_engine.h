// Runs the engine to the end and compares runs, for property tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/cluster/cluster.h"
#include "engine/cluster/simulation.h"

namespace tokensim {

// Seeds 1 .. count; fewer or more as engine/base/test_cases.h says.
[[nodiscard]] uint64_t Seeds(uint64_t count);

// Advances in slices of 1 to `max_slice` events, drawn from the plan's seed. Fails the test when
// the engine reports an error.
[[nodiscard]] Results RunEngine(std::shared_ptr<const Plan> plan, Observer* observer = nullptr,
                                int64_t max_slice = 1'000'000);

// The same, event by event: `check` looks at the simulation after each.
[[nodiscard]] Results RunEngineByEvents(
    std::shared_ptr<const Plan> plan, Observer* observer,
    const std::function<void(const Simulation& simulation)>& check);

// By request id.
[[nodiscard]] std::vector<RequestRecord> Sorted(const RequestTable& records);

// Every field of both, bit for bit; says which request differs and where.
[[nodiscard]] testing::AssertionResult SameRecords(const RequestTable& expected,
                                                   const RequestTable& actual);
// Everything a run leaves behind, bit for bit and in order.
[[nodiscard]] testing::AssertionResult SameResults(const Results& expected, const Results& actual);

}  // namespace tokensim
