// Helpers for tests of request sources.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "engine/workload/test_traffic.h"
#include "engine/workload/workload.h"

namespace tokensim {

inline constexpr uint64_t kSeed = 7;

inline Workload Make(int64_t num_requests, Arrivals arrivals,
                     Lengths lengths = IndependentLengths{}, TraceTable trace = {}) {
  Workload workload;
  workload.num_requests = num_requests;
  workload.arrivals = std::move(arrivals);
  workload.lengths = std::move(lengths);
  if (trace.size() > 0) workload.trace = std::make_shared<const TraceTable>(std::move(trace));
  return workload;
}

// The requests of a source that waits for no end.
inline std::vector<RequestInput> Draw(const Workload& workload, uint64_t seed = kSeed) {
  std::vector<RequestInput> requests;
  auto source = MakeRequestSource(workload, seed);
  EXPECT_FALSE(source->reactive());
  for (; source->Peek() != nullptr; source->Pop()) requests.push_back(*source->Peek());
  source->Pop();
  EXPECT_EQ(source->Peek(), nullptr) << "a drained source stays drained";
  return requests;
}

inline std::vector<SimTime> Times(const std::vector<RequestInput>& requests) {
  std::vector<SimTime> times;
  for (const RequestInput& request : requests) times.push_back(request.arrival);
  return times;
}

inline std::vector<int32_t> Inputs(const std::vector<RequestInput>& requests) {
  std::vector<int32_t> tokens;
  for (const RequestInput& request : requests) tokens.push_back(request.input_tokens);
  return tokens;
}

}  // namespace tokensim
