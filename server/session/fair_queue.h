// Waiting simulations: first come, first served within a tenant; tenants take turns.
//
// Not thread-safe.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "server/base/clock.h"
#include "server/base/names.h"

namespace tokensim {

class FairQueue {
 public:
  struct Entry {
    SimulationName name;
    std::string uid;
    SteadyTime enqueued{};
  };

  void Push(Entry entry);
  // The next of the tenant whose turn it is; nullopt when empty.
  std::optional<Entry> Pop();
  // False when there is no such entry.
  bool Remove(std::string_view tenant, std::string_view uid);
  [[nodiscard]] int64_t size() const { return size_; }

 private:
  std::map<std::string, std::deque<Entry>, std::less<>> tenants_;  // without empty ones
  std::string last_;  // tenant that was served last: the next in order is served next
  int64_t size_ = 0;
};

}  // namespace tokensim
