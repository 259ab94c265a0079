#include "engine/cluster/boundaries.h"

#include <algorithm>

namespace tokensim {

void Boundaries::Push(int32_t worker, SimTime now) {
  if (At(worker).in_lockstep()) {
    const int32_t first = At(worker).plan().lockstep_first;
    if (lockstep_running_.empty()) lockstep_running_.resize(workers_.size());
    if (lockstep_running_[static_cast<size_t>(first)]) return;
    lockstep_running_[static_cast<size_t>(first)] = true;
    worker = first;
  }
  const auto index = static_cast<uint32_t>(worker);
  if (At(worker).TakeWakeUp() == kNever) {
    queue_.Push({now, EventKind::kBoundary, index});
  } else {
    queue_.Expedite(EventKind::kBoundary, index, now);
  }
}

bool Boundaries::Hurry(int32_t worker, SimTime now) {
  if (!At(worker).waits()) return false;
  At(worker).Hurry();
  Wake(worker, now);
  return true;
}

void Boundaries::Cancel(int32_t worker) {
  if (At(worker).TakeWakeUp() == kNever) return;
  queue_.Erase(EventKind::kBoundary, static_cast<uint32_t>(worker));
}

int64_t Boundaries::Run(int32_t index, SimTime now, SimTime horizon, int64_t limit) {
  Worker& worker = At(index);
  if (worker.in_lockstep()) return RunLockstep(index, now);
  const int64_t iterations = worker.stats().iterations;
  const SimTime end = worker.Run(now, horizon, limit);
  if (end == kNever) {
    queue_.Pop();
  } else {
    queue_.ReplaceTop({end, EventKind::kBoundary, static_cast<uint32_t>(index)});
  }
  return worker.stats().iterations - iterations;
}

// The collectives of every layer make the ranks wait for the slowest. A rank without requests
// computes along with one token, for its experts are needed (vLLM's execute_dummy_batch).
int64_t Boundaries::RunLockstep(int32_t first, SimTime now) {
  const int32_t end_rank = first + At(first).plan().lockstep_ranks;
  bool any = false;
  int64_t ended = 0;
  int64_t gathered = 0;
  has_batch_.clear();
  for (int32_t i = first; i < end_rank; ++i) {
    if (At(i).iteration_end() != kUnset) ++ended;
    has_batch_.push_back(At(i).Prepare(now));
    any = any || has_batch_.back();
    gathered += At(i).BatchTokens();
  }
  if (any) {
    const SimTime end = LaunchLockstep(first, end_rank, gathered, now);
    queue_.ReplaceTop({end, EventKind::kBoundary, static_cast<uint32_t>(first)});
  } else {
    queue_.Pop();
    lockstep_running_[static_cast<size_t>(first)] = false;
  }
  return ended;
}

SimTime Boundaries::LaunchLockstep(int32_t first, int32_t end_rank, int64_t gathered, SimTime now) {
  const auto has_batch = [&](int32_t i) { return has_batch_[static_cast<size_t>(i - first)]; };
  SimTime end = kNever;
  double seconds = 0;
  SimTime fetch = 0;
  for (int32_t i = first; i < end_rank; ++i) {
    seconds = std::max(seconds, At(i).BatchSeconds(gathered));
    fetch = std::max(fetch, At(i).FetchFromPool(now));
  }
  for (int32_t i = first; i < end_rank; ++i) {
    if (!has_batch(i)) continue;
    At(i).Launch(now, seconds, fetch);
    end = At(i).iteration_end();
  }
  for (int32_t i = first; i < end_rank; ++i) {
    if (!has_batch(i)) At(i).StandBy(end);
  }
  return end;
}

}  // namespace tokensim
