// A fixed number of threads that run tasks in order of posting.
//
// gRPC's own threads must never block (they are few and shared by all calls), so everything that
// computes, locks or waits is posted here.
//
//   Executor pool("stream", 2);
//   pool.Post([] { Advance(); });
//
// Thread-safe. Tasks must not throw: what may run out of memory is caught in the task, which then
// fails alone (CaughtError of error.h).
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tokensim {

class Executor {
 public:
  // `name` is the threads' name, at most 15 bytes. `max_queued` bounds TryPost only.
  Executor(const std::string& name, int threads, size_t max_queued = 10'000);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Runs `task` unless the executor is stopped: false then.
  bool Post(std::function<void()> task);
  // For work that comes from outside: false also when too much is waiting.
  [[nodiscard]] bool TryPost(std::function<void()> task);

  // Runs what was posted, then joins the threads. Idempotent; not from a task.
  void Stop();

 private:
  void Run();
  bool PostIf(size_t max_queued, std::function<void()> task);

  const size_t max_queued_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;  // guarded by mutex_
  bool stopped_ = false;                     // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace tokensim
