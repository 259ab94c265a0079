#include "clients/cli/parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace tokensim::cli {

int HardwareThreads() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

void RunParallel(size_t count, int threads, const std::function<void(size_t)>& work,
                 const std::function<void(size_t done)>& watch) {
  constexpr auto kWatchEvery = std::chrono::milliseconds(100);
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::condition_variable ended;
  size_t done = 0;  // guarded by mutex
  const auto serve = [&] {
    for (size_t i = next++; i < count; i = next++) {
      work(i);
      const std::lock_guard lock(mutex);
      if (++done == count) ended.notify_one();
    }
  };
  std::vector<std::jthread> pool;
  const size_t wanted = std::min(count, static_cast<size_t>(std::max(1, threads)));
  for (size_t i = 0; i < wanted; ++i) pool.emplace_back(serve);
  std::unique_lock lock(mutex);
  for (size_t now = 0; now < count;) {  // not `done`: what is told last is that all is done
    ended.wait_for(lock, kWatchEvery, [&] { return done == count; });
    now = done;
    if (watch == nullptr) continue;
    lock.unlock();
    watch(now);
    lock.lock();
  }
}

}  // namespace tokensim::cli
