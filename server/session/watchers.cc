#include "server/session/watchers.h"

#include <utility>
#include <vector>

namespace tokensim {

Watchers::Handle Watchers::Add(const SimulationName& name, std::function<void()> notify) {
  auto watcher = std::make_shared<Watcher>();
  watcher->notify = std::move(notify);
  {
    const std::lock_guard lock(mutex_);
    watchers_.emplace(name, watcher);
  }
  // The handle owns the watcher; its end takes it off the list.
  return Handle(watcher.get(), [this, name, watcher](void*) { Remove(name, watcher.get()); });
}

void Watchers::Notify(const SimulationName& name) {
  std::vector<std::shared_ptr<Watcher>> found;
  {
    const std::lock_guard lock(mutex_);
    const auto [begin, end] = watchers_.equal_range(name);
    for (auto it = begin; it != end; ++it) {
      if (auto watcher = it->second.lock()) found.push_back(std::move(watcher));
    }
  }
  for (const auto& watcher : found) {
    if (watcher->posted.exchange(true)) continue;
    try {
      executor_.Post([weak = std::weak_ptr(watcher)] {
        if (const auto alive = weak.lock()) {
          alive->posted = false;
          alive->notify();
        }
      });
    } catch (...) {
      watcher->posted = false;  // the next notification posts it
      throw;
    }
  }
}

void Watchers::Remove(const SimulationName& name, const Watcher* watcher) {
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = watchers_.equal_range(name);
  for (auto it = begin; it != end; ++it) {
    if (it->second.lock().get() == watcher) {
      watchers_.erase(it);
      return;
    }
  }
}

}  // namespace tokensim
