#include "server/base/executor.h"

#include <pthread.h>

#include <limits>
#include <utility>

namespace tokensim {

Executor::Executor(const std::string& name, int threads, size_t max_queued)
    : max_queued_(max_queued) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Run(); });
    pthread_setname_np(threads_.back().native_handle(), name.c_str());
  }
}

Executor::~Executor() { Stop(); }

bool Executor::Post(std::function<void()> task) {
  return PostIf(std::numeric_limits<size_t>::max(), std::move(task));
}

bool Executor::TryPost(std::function<void()> task) { return PostIf(max_queued_, std::move(task)); }

bool Executor::PostIf(size_t max_queued, std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || tasks_.size() >= max_queued) return false;
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

void Executor::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void Executor::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopped_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // what it holds is released without the lock
    lock.lock();
  }
}

}  // namespace tokensim
