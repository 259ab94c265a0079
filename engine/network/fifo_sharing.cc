#include "engine/network/fifo_sharing.h"

#include <algorithm>
#include <limits>

namespace tokensim {

void FifoSharing::AddLink(double bytes_per_second) {
  links_.emplace_back().bytes_per_second = bytes_per_second;
}

void FifoSharing::Add(int32_t flow, const Path& path, FlowKey key) {
  changes_.clear();
  if (flows_.size() <= static_cast<size_t>(flow)) flows_.resize(static_cast<size_t>(flow) + 1);
  flows_[static_cast<size_t>(flow)].path = path;
  Enqueue(flow, key);
  TryStart(flow);
}

void FifoSharing::Next(int32_t flow, FlowKey key) {
  changes_.clear();
  LeaveLinks(flow);
  Enqueue(flow, key);
  TryFirstOf(flows_[static_cast<size_t>(flow)].path);
  if (!flows_[static_cast<size_t>(flow)].moves) TryStart(flow);  // a path without links
}

void FifoSharing::Remove(int32_t flow) {
  changes_.clear();
  LeaveLinks(flow);
  TryFirstOf(flows_[static_cast<size_t>(flow)].path);
}

void FifoSharing::Enqueue(int32_t flow, FlowKey key) {
  for (const LinkId id : flows_[static_cast<size_t>(flow)].path) {
    std::vector<Entry>& queue = At(id).queue;
    queue.push_back({key, flow});
    std::push_heap(queue.begin(), queue.end(), Later);
  }
}

void FifoSharing::LeaveLinks(int32_t flow) {
  Flow& leaving = flows_[static_cast<size_t>(flow)];
  for (const LinkId id : leaving.path) {
    Link& link = At(id);
    if (leaving.moves) {
      link.taken = false;
      continue;
    }
    // Cancelled while it waited: rare.
    std::erase_if(link.queue, [flow](const Entry& entry) { return entry.flow == flow; });
    std::make_heap(link.queue.begin(), link.queue.end(), Later);
  }
  leaving.moves = false;
}

// Two flows that can start share no link, so the order of the attempts does not matter.
void FifoSharing::TryFirstOf(const Path& path) {
  for (const LinkId id : path) {
    if (!At(id).queue.empty()) TryStart(At(id).queue.front().flow);
  }
}

void FifoSharing::TryStart(int32_t flow) {
  Flow& starting = flows_[static_cast<size_t>(flow)];
  double rate = std::numeric_limits<double>::infinity();
  for (const LinkId id : starting.path) {
    const Link& link = At(id);
    if (link.taken || link.queue.front().flow != flow) return;
    if (link.bytes_per_second > 0) rate = std::min(rate, link.bytes_per_second);
  }
  for (const LinkId id : starting.path) {
    Link& link = At(id);
    link.taken = true;
    std::pop_heap(link.queue.begin(), link.queue.end(), Later);
    link.queue.pop_back();
  }
  starting.moves = true;
  changes_.push_back({flow, rate});
}

extern constinit const SharingRuleEntry kFifoSharing = {
    {.name = "fifo", .description = "one transfer after the other, in order of their start"},
    {},
    [](const ParameterValues& /*values*/) -> SharingRuleFactory::Maker {
      return [](const SharingRuleContext&) { return std::make_unique<FifoSharing>(); };
    }};

}  // namespace tokensim
