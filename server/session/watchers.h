// Who wants to know when a simulation changes.
//
// A watcher is called, on an executor and without any lock held, some time after each Notify;
// several notifications may become one call. It then looks at the simulation for itself.
//
//   Watchers::Handle handle = watchers.Add(name, [] { LookAgain(); });  // until handle is dropped
//
// Thread-safe. A call that is under way when its handle is dropped still ends.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "server/base/executor.h"
#include "server/base/names.h"

namespace tokensim {

class Watchers {
 public:
  using Handle = std::shared_ptr<void>;

  explicit Watchers(Executor& executor) : executor_(executor) {}

  // The watchers' owner drops its handles before this object goes.
  [[nodiscard]] Handle Add(const SimulationName& name, std::function<void()> notify);
  void Notify(const SimulationName& name);

 private:
  struct Watcher {
    std::function<void()> notify;
    std::atomic<bool> posted = false;
  };

  void Remove(const SimulationName& name, const Watcher* watcher);

  Executor& executor_;
  std::mutex mutex_;
  std::multimap<SimulationName, std::weak_ptr<Watcher>> watchers_;  // guarded by mutex_
};

}  // namespace tokensim
