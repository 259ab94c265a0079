#include "server/session/fair_queue.h"

#include <algorithm>
#include <utility>

namespace tokensim {

void FairQueue::Push(Entry entry) {
  std::deque<Entry>& queue = tenants_[entry.name.tenant];
  queue.push_back(std::move(entry));
  ++size_;
}

std::optional<FairQueue::Entry> FairQueue::Pop() {
  if (tenants_.empty()) return std::nullopt;
  auto turn = tenants_.upper_bound(last_);
  if (turn == tenants_.end()) turn = tenants_.begin();
  Entry entry = std::move(turn->second.front());
  turn->second.pop_front();
  last_ = turn->first;
  if (turn->second.empty()) tenants_.erase(turn);
  --size_;
  return entry;
}

bool FairQueue::Remove(std::string_view tenant, std::string_view uid) {
  const auto found = tenants_.find(tenant);
  if (found == tenants_.end()) return false;
  std::deque<Entry>& queue = found->second;
  const auto entry = std::find_if(queue.begin(), queue.end(),
                                  [&](const Entry& candidate) { return candidate.uid == uid; });
  if (entry == queue.end()) return false;
  queue.erase(entry);
  if (queue.empty()) tenants_.erase(found);
  --size_;
  return true;
}

}  // namespace tokensim
