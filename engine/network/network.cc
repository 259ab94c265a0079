#include "engine/network/network.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/invariant.h"
#include "engine/network/sharing_registry.h"

namespace tokensim {
namespace {

constexpr double kNanosPerSecondDouble = 1e9;
constexpr double kSlackNanos = 1e-3;  // of floating point, below a picosecond

// The whole nanosecond at or after `nanos` from now.
SimTime After(SimTime now, double nanos) {
  const double whole = std::ceil(std::max(0.0, nanos - kSlackNanos));
  if (whole >= static_cast<double>(kNever - now)) return kNever - 1;
  return now + static_cast<SimTime>(whole);
}

int64_t SaturatingSum(int64_t a, int64_t b) {
  return b > std::numeric_limits<int64_t>::max() - a ? std::numeric_limits<int64_t>::max() : a + b;
}

// The part of `total` before piece i of n, so that the pieces add up exactly.
int64_t PartBefore(int64_t total, int32_t i, int32_t n) {
  return static_cast<int64_t>(static_cast<__int128>(total) * i / n);
}

std::unique_ptr<SharingRule> MakeRule(const NetworkConfig& config) {
  if (config.sharing != nullptr) return config.sharing->Make({});
  return SharingRules().Make(kDefaultSharing)->Make({});
}

}  // namespace

Network::Network(const NetworkConfig& config, std::span<const int32_t> node_of_worker)
    : config_(config),
      nodes_(node_of_worker.begin(), node_of_worker.end()),
      sharing_(MakeRule(config)) {
  using Owner = LinkStats::Owner;
  links_.reserve(2 * nodes_.size());
  TOKENSIM_INVARIANT(config.connections.empty() || config.connections.size() == nodes_.size(),
                     "a worker without a connection");
  int32_t last_node = -1;
  for (size_t worker = 0; worker < nodes_.size(); ++worker) {
    TOKENSIM_INVARIANT(nodes_[worker] >= 0, "a worker without a node");
    const auto index = static_cast<int32_t>(worker);
    const LinkConfig& link =
        config.connections.empty() ? config.intra_node : config.connections[worker];
    AddPort(link, Owner::kWorker, index, "intra-node out");
    AddPort(link, Owner::kWorker, index, "intra-node in");
    last_node = std::max(last_node, nodes_[worker]);
  }
  std::vector<bool> used(static_cast<size_t>(last_node) + 1);
  for (const int32_t node : nodes_) used[static_cast<size_t>(node)] = true;
  node_out_.resize(used.size(), -1);
  for (size_t node = 0; node < used.size(); ++node) {
    if (!used[node]) continue;
    const auto index = static_cast<int32_t>(node);
    node_out_[node] = AddPort(config.inter_node, Owner::kNode, index, "inter-node out");
    AddPort(config.inter_node, Owner::kNode, index, "inter-node in");
  }
}

LinkId Network::AddPort(const LinkConfig& link, LinkStats::Owner owner, int32_t index,
                        std::string_view name) {
  Link& added = links_.emplace_back();
  added.stats.owner = owner;
  added.stats.owner_index = index;
  added.stats.name = name;
  added.stats.bytes_per_second = link.bandwidth_bytes_per_second;
  added.latency_seconds = link.latency_seconds;
  sharing_->AddLink(link.bandwidth_bytes_per_second);
  return links() - 1;
}

LinkId Network::AddLink(const LinkConfig& link) {
  const LinkId id = AddPort(link, LinkStats::Owner::kNone, -1, {});
  links_.back().name = link.name;
  return id;
}

Path Network::WorkerPath(int32_t from, int32_t to) const {
  const int32_t from_node = nodes_[static_cast<size_t>(from)];
  const int32_t to_node = nodes_[static_cast<size_t>(to)];
  if (from_node == to_node) return {2 * from, 2 * to + 1};
  return {node_out_[static_cast<size_t>(from_node)], node_out_[static_cast<size_t>(to_node)] + 1};
}

TransferSpec Network::KvTransfer(const KvTransferRequest& request) const {
  TransferSpec spec;
  spec.path = WorkerPath(request.from, request.to);
  spec.bytes = request.bytes;
  spec.first_release = spec.last_release = request.last_layer;
  switch (config_.mode) {
    case TransferMode::kSequential:
      spec.groups = config_.groups;
      break;
    case TransferMode::kBuffered:
      spec.groups = config_.groups;
      spec.window = config_.buffered_groups;
      break;
    case TransferMode::kLayerwise:
      spec.groups = spec.window = request.layers;
      spec.first_release = request.first_layer;
      break;
  }
  return spec;
}

int32_t Network::TakeSlot() {
  if (free_slots_.empty()) {
    const auto slot = static_cast<int32_t>(transfers_.size());
    TOKENSIM_INVARIANT(slot <= kSlotMask, "too many transfers at once");
    transfers_.emplace_back();
    return slot;
  }
  const int32_t slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

TransferId Network::Start(SimTime now, const TransferSpec& spec, uint64_t tag) {
  TOKENSIM_INVARIANT(NextEvent() >= now, "a transfer started before an event that is due");
  TOKENSIM_INVARIANT(spec.bytes >= 0 && spec.groups >= 1 && spec.window >= 1, "a bad transfer");
  const int32_t slot = TakeSlot();
  Transfer& transfer = At(slot);
  transfer.order = started_++;
  transfer.id = (transfer.order << kSlotBits) | slot;
  transfer.spec = spec;
  transfer.tag = tag;
  transfer.start = now;
  transfer.group = 0;
  transfer.latency = FromSeconds(LatencySeconds(spec));
  if (spec.window < spec.groups) transfer.arrivals.resize(static_cast<size_t>(spec.window));
  ++active_;
  Await(slot);
  return transfer.id;
}

// The two ports of a path are the ends of one link; added links come on top.
double Network::LatencySeconds(const TransferSpec& spec) const {
  double latency = spec.extra_latency_seconds;
  double ends = 0;
  for (const LinkId id : spec.path) {
    const Link& link = links_[static_cast<size_t>(id)];
    if (link.stats.owner == LinkStats::Owner::kNone) {
      latency += link.latency_seconds;
    } else {
      ends = std::max(ends, link.latency_seconds);
    }
  }
  return latency + ends;
}

bool Network::Cancel(SimTime now, TransferId id) {
  TOKENSIM_INVARIANT(NextEvent() >= now, "a transfer cancelled before an event that is due");
  if (id < 0) return false;
  const int32_t slot = SlotOf(id);
  if (static_cast<size_t>(slot) >= transfers_.size() || At(slot).id != id) return false;
  timers_.Remove(slot);
  if (At(slot).on_links) {
    StopMoving(&At(slot), now);
    sharing_->Remove(slot);
    ApplyChanges(now);
  }
  Free(slot);
  return true;
}

void Network::Advance(SimTime now, std::vector<CompletedTransfer>* done) {
  const size_t first = done->size();
  while (NextEvent() <= now && !timers_.empty()) {
    const SimTime time = timers_.time();
    const int32_t slot = timers_.slot();
    if (At(slot).on_links) {
      FinishGroup(slot, time, done);
    } else {
      Send(slot, time);
    }
  }
  // Found by time; of equal times, an early start may have been found late.
  std::sort(done->begin() + static_cast<std::ptrdiff_t>(first), done->end(),
            [](const CompletedTransfer& a, const CompletedTransfer& b) {
              return a.end != b.end ? a.end < b.end : a.id < b.id;
            });
}

LinkStats Network::Stats(LinkId id, SimTime now) const {
  const Link& link = links_[static_cast<size_t>(id)];
  LinkStats stats = link.stats;
  if (stats.owner == LinkStats::Owner::kNone) stats.name = link.name;
  if (link.moving > 0) stats.busy += now - link.busy_since;
  return stats;
}

SimTime Network::ReadyTime(const Transfer& transfer) const {
  const TransferSpec& spec = transfer.spec;
  const int32_t group = transfer.group;
  SimTime requested = transfer.start;
  if (group >= spec.window) {
    requested = transfer.arrivals[static_cast<size_t>(group % spec.window)];
  }
  SimTime released = spec.first_release;
  if (group > 0) {
    released += PartBefore(spec.last_release - spec.first_release, group, spec.groups - 1);
  }
  return SumBeforeNever(std::max(requested, released), transfer.latency);
}

// Sets the time at which the next group reaches the links.
void Network::Await(int32_t slot) {
  Transfer& transfer = At(slot);
  transfer.on_links = false;
  transfer.ready = ReadyTime(transfer);
  timers_.Set(slot, transfer.ready, transfer.order);
}

void Network::LoadGroup(Transfer* transfer, SimTime now) {
  const TransferSpec& spec = transfer->spec;
  transfer->bytes_left =
      static_cast<double>(PartBefore(spec.bytes, transfer->group + 1, spec.groups) -
                          PartBefore(spec.bytes, transfer->group, spec.groups));
  transfer->rate = 0;
  transfer->since = now;
  transfer->on_links = true;
}

void Network::Send(int32_t slot, SimTime now) {
  Transfer& transfer = At(slot);
  timers_.Remove(slot);
  LoadGroup(&transfer, now);
  sharing_->Add(slot, transfer.spec.path, {transfer.ready, transfer.order});
  ApplyChanges(now);
}

void Network::FinishGroup(int32_t slot, SimTime now, std::vector<CompletedTransfer>* done) {
  Transfer& transfer = At(slot);
  const TransferSpec& spec = transfer.spec;
  const int64_t bytes = PartBefore(spec.bytes, transfer.group + 1, spec.groups) -
                        PartBefore(spec.bytes, transfer.group, spec.groups);
  const bool last = transfer.group + 1 == spec.groups;
  for (const LinkId id : spec.path) {
    LinkStats& stats = links_[static_cast<size_t>(id)].stats;
    stats.bytes = SaturatingSum(stats.bytes, bytes);
    if (last) ++stats.transfers;
  }
  StopMoving(&transfer, now);
  timers_.Remove(slot);
  if (!last) {
    if (spec.window < spec.groups) {
      transfer.arrivals[static_cast<size_t>(transfer.group % spec.window)] = now;
    }
    ++transfer.group;
    transfer.ready = ReadyTime(transfer);
    if (transfer.ready <= now) {
      LoadGroup(&transfer, now);
      sharing_->Next(slot, {transfer.ready, transfer.order});
      ApplyChanges(now);
      return;
    }
  }
  sharing_->Remove(slot);
  ApplyChanges(now);
  if (!last) {
    Await(slot);
    return;
  }
  done->push_back({transfer.id, transfer.tag, transfer.start, now, spec.bytes});
  Free(slot);
}

void Network::ApplyChanges(SimTime now) {
  for (const RateChange& change : sharing_->changes()) {
    Transfer& transfer = At(change.flow);
    if (transfer.rate == 0) {
      for (const LinkId id : transfer.spec.path) {
        Link& link = links_[static_cast<size_t>(id)];
        if (link.moving++ == 0) link.busy_since = now;
      }
    } else if (now > transfer.since) {
      const double seconds = static_cast<double>(now - transfer.since) / kNanosPerSecondDouble;
      transfer.bytes_left = std::max(0.0, transfer.bytes_left - transfer.rate * seconds);
    }
    transfer.rate = change.rate;
    transfer.since = now;
    const double nanos = transfer.bytes_left / transfer.rate * kNanosPerSecondDouble;
    timers_.Set(change.flow, After(now, nanos), transfer.order);
  }
}

void Network::StopMoving(Transfer* transfer, SimTime now) {
  if (transfer->rate == 0) return;
  for (const LinkId id : transfer->spec.path) {
    Link& link = links_[static_cast<size_t>(id)];
    if (--link.moving == 0) link.stats.busy += now - link.busy_since;
  }
  transfer->rate = 0;
}

void Network::Free(int32_t slot) {
  At(slot).id = kNoTransfer;
  At(slot).on_links = false;
  free_slots_.push_back(slot);
  --active_;
}

}  // namespace tokensim
