// Independent pieces of work on several threads.
//
//   std::vector<Result> results(points.size());
//   RunParallel(points.size(), threads, [&](size_t i) { results[i] = Run(points[i]); });
//
// Each piece writes to a place of its own, so that results do not depend on the threads.
#pragma once

#include <cstddef>
#include <functional>

namespace tokensim::cli {

// As many as the machine has cores, at least 1.
[[nodiscard]] int HardwareThreads();

// Calls work(0) .. work(count - 1), begun in this order, on `threads` threads (>= 1), and returns
// when all are done. `work` must not throw; it may return early when it is no longer wanted. Between
// pieces, a few times a second and at the end, `watch` (may be null) is told on the calling thread
// how many are done.
void RunParallel(size_t count, int threads, const std::function<void(size_t)>& work,
                 const std::function<void(size_t done)>& watch = nullptr);

}  // namespace tokensim::cli
