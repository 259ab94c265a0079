#include "engine/network/max_min_sharing.h"

#include <algorithm>
#include <limits>

namespace tokensim {
namespace {

constexpr double kNoShare = -1;

}  // namespace

void MaxMinSharing::AddLink(double bytes_per_second) {
  links_.emplace_back().bytes_per_second = bytes_per_second;
}

void MaxMinSharing::Add(int32_t flow, const Path& path, FlowKey) {
  changes_.clear();
  if (flows_.size() <= static_cast<size_t>(flow)) flows_.resize(static_cast<size_t>(flow) + 1);
  FlowAt(flow).path = path;
  FlowAt(flow).rate = 0;
  for (const LinkId id : path) At(id).flows.push_back(flow);
  ++visit_;
  linked_.clear();
  affected_.clear();
  VisitFlow(flow);
  Collect();
  Fill();
  Report();
}

void MaxMinSharing::Next(int32_t flow, FlowKey) { changes_.assign(1, {flow, FlowAt(flow).rate}); }

void MaxMinSharing::Remove(int32_t flow) {
  changes_.clear();
  const Path path = FlowAt(flow).path;
  for (const LinkId id : path) {
    std::vector<int32_t>& flows = At(id).flows;
    *std::find(flows.begin(), flows.end(), flow) = flows.back();
    flows.pop_back();
  }
  ++visit_;
  linked_.clear();
  affected_.clear();
  VisitLinks(path);
  Collect();
  Fill();
  Report();
}

// Links without a limit connect nobody.
void MaxMinSharing::VisitLinks(const Path& path) {
  for (const LinkId id : path) {
    Link& link = At(id);
    if (link.bytes_per_second == 0 || link.visit == visit_) continue;
    link.visit = visit_;
    linked_.push_back(id);
  }
}

void MaxMinSharing::VisitFlow(int32_t flow) {
  if (FlowAt(flow).visit == visit_) return;
  FlowAt(flow).visit = visit_;
  affected_.push_back(flow);
  VisitLinks(FlowAt(flow).path);
}

// Everything connected to the links found so far.
void MaxMinSharing::Collect() {
  for (size_t i = 0; i < linked_.size(); ++i) {
    for (const int32_t flow : At(linked_[i]).flows) VisitFlow(flow);
  }
}

void MaxMinSharing::Fill() {
  for (const int32_t flow : affected_) FlowAt(flow).share = kNoShare;
  for (const LinkId id : linked_) {
    Link& link = At(id);
    link.left = link.bytes_per_second;
    link.open = static_cast<int32_t>(link.flows.size());
  }
  while (Link* bottleneck = Bottleneck()) {
    const double share = bottleneck->left / bottleneck->open;
    for (const int32_t flow : bottleneck->flows) {
      if (FlowAt(flow).share != kNoShare) continue;
      FlowAt(flow).share = share;
      for (const LinkId id : FlowAt(flow).path) {
        At(id).left -= share;
        --At(id).open;
      }
    }
  }
}

// The link that is full first, or null when every flow with a limit has its share.
MaxMinSharing::Link* MaxMinSharing::Bottleneck() {
  Link* best = nullptr;
  for (const LinkId id : linked_) {
    Link& link = At(id);
    if (link.open == 0) continue;
    if (best == nullptr || link.left / link.open < best->left / best->open) best = &link;
  }
  return best;
}

void MaxMinSharing::Report() {
  for (const int32_t id : affected_) {
    Flow& flow = FlowAt(id);
    const double rate =
        flow.share == kNoShare ? std::numeric_limits<double>::infinity() : flow.share;
    if (rate == flow.rate) continue;
    flow.rate = rate;
    changes_.push_back({id, rate});
  }
}

extern constinit const SharingRuleEntry kFairSharing = {
    {.name = "fair", .description = "all transfers at the same time, max-min fair"},
    {},
    [](const ParameterValues& /*values*/) -> SharingRuleFactory::Maker {
      return [](const SharingRuleContext&) { return std::make_unique<MaxMinSharing>(); };
    }};

}  // namespace tokensim
