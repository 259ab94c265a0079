#include "engine/analysis/constants.h"

namespace tokensim::accuracy {

namespace {

// Ranges: what hosts and engines of today can plausibly do. Python spends single milliseconds on an
// iteration, tens of microseconds on a sequence; kernels in a graph start within microseconds;
// isolated measurements of operators are off by tens of percent at most.
constexpr FitConstant kConstants[] = {
    {"iteration_seconds", "s", 0, 20e-3, 0, 100e-6, false, "host time of an iteration"},
    {"sequence_seconds", "s", 0, 1e-3, 0, 5e-6, false, "host time of each sequence in it"},
    {"dense_factor", "", 0.5, 2, 1, 0.02, false, "of the time of dense operators"},
    {"prefill_dense_factor", "", 0.5, 2, 1, 0.02, false,
     "on top of it, in iterations with prompt tokens"},
    {"attention_factor", "", 0.5, 2, 1, 0.02, false, "of the time of attention"},
    {"attention_launch_seconds", "s", 0, 20e-6, 0, 500e-9, false,
     "taken off each call of attention"},
    {"compute_factor", "", 1, 2, 1, 0.01, false, "of the time of arithmetic at sustained clocks"},
    {"all_reduce_seconds", "s", 0, 100e-6, 0, 1e-6, false, "added to each all-reduce"},
    {"layer_seconds", "s", 0, 500e-6, 0, 2e-6, false, "added to every layer"},
    {"warm_up_seconds", "s", 0, 10, 0, 20e-3, false, "added to the first iteration"},
    {"request_seconds", "s", 0, 0.5, 0, 1e-3, true, "before a request reaches its worker"},
    {"response_seconds", "s", 0, 0.5, 0, 1e-3, true, "after a token has left it"},
};

}  // namespace

std::span<const FitConstant> FitConstants() { return kConstants; }

const FitConstant* FindConstant(std::string_view name) {
  for (const FitConstant& constant : kConstants) {
    if (constant.name == name) return &constant;
  }
  return nullptr;
}

}  // namespace tokensim::accuracy
