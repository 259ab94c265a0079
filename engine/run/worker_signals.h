// What the router knows of the workers: published by each of them as it goes, read by the policies
// that choose one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tokensim {

// One entry per worker of the cluster.
struct WorkerSignals {
  std::vector<int32_t> outstanding;         // requests sent there and not finished or handed on
  std::vector<int32_t> waiting;             // of them, not in the running set
  std::vector<int64_t> outstanding_tokens;  // prompt tokens sent there and not yet computed
  // Tokens of the outstanding requests' KV caches, as they were sent: those they came with, else
  // those of the prompt.
  std::vector<int64_t> outstanding_kv_tokens;
  std::vector<int64_t> kv_used;  // KV blocks
  std::vector<int64_t> kv_total;
  int64_t refreshes = 0;  // of stale signals, the first included; 0: these are live

  // A request is sent to the worker, or finished, handed on or lost there.
  void AddOutstanding(size_t worker, int32_t requests, int64_t kv_tokens) {
    outstanding[worker] += requests;
    outstanding_kv_tokens[worker] += kv_tokens;
  }
  void Resize(size_t workers) {
    outstanding.resize(workers);
    waiting.resize(workers);
    outstanding_tokens.resize(workers);
    outstanding_kv_tokens.resize(workers);
    kv_used.resize(workers);
    kv_total.resize(workers);
  }
};

}  // namespace tokensim
