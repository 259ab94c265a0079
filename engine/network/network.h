// The links of a cluster, and the transfers that are under way on them.
//
//   Network network(config, node_of_worker);
//   const TransferId id = network.Start(now, network.KvTransfer({.from = 0, .to = 3, .bytes = b}),
//   tag); while (network.NextEvent() <= now) network.Advance(now, &done);  // done: id, tag, time
//
// Topology. A worker has a port out and a port in to the other workers of its node, a node a port
// out and in to the other nodes; each carries the stated bandwidth, which may differ from worker to
// worker. The switches between them are not limited. A transfer has the latency of the slower of
// its two ends. Other links (a memory pool, host memory) are added by name.
//
//   worker 0 ──out──┐          ┌──in──▶ worker 1      same node: [0 intra out, 1 intra in]
//   worker 1 ──out──┤  node 0  ├──in──▶ ...
//                   └──out──▶ other nodes ──in──▶     other node: [node 0 inter out, node 1 inter
//                   in]
//
// A transfer is cut into groups of nearly equal bytes, which move in order. A group is requested,
// then `latency` passes, then its bytes occupy every link of the path until the last has arrived:
//
//   requested(g) = when the transfer starts, for g < window; else when group g - window arrived
//   ready(g)     = max(requested(g), released(g)) + latency
//   moves        from ready(g) and the arrival of group g-1 on, as the links allow
//
//   sequential   window 1: every group pays the latency
//   buffered     window k: the latency of a group overlaps the bytes of those before it
//   layer-wise   a group is a layer, released when it is computed; window = groups
//
// What happens when groups meet on a link is a rule: FIFO (fifo_sharing.h) or max-min fair
// (max_min_sharing.h). Times are whole nanoseconds: the end of a group is rounded up, after a
// picosecond that absorbs the noise of floating point. What SimTime does not hold ends just before
// kNever.
//
// Deterministic; not thread-safe. A start or an event costs O(flows connected by shared links) and
// allocates nothing once it has reached its size.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/time.h"
#include "engine/hardware/topology.h"
#include "engine/network/link_sharing.h"
#include "engine/network/timer_heap.h"

namespace tokensim {

// Never reused.
using TransferId = int64_t;
inline constexpr TransferId kNoTransfer = -1;

struct TransferSpec {
  Path path;          // may be empty: only latency counts
  int64_t bytes = 0;  // >= 0
  int32_t groups = 1;
  int32_t window = 1;  // groups in flight; >= 1
  // Group g may not be requested before first + (last - first) g / (groups - 1); times before the
  // start mean the start.
  SimTime first_release = 0;
  SimTime last_release = 0;
  double extra_latency_seconds = 0;  // of each group, beside that of the links
};

struct CompletedTransfer {
  TransferId id = kNoTransfer;
  uint64_t tag = 0;
  SimTime start = 0;
  SimTime end = 0;
  int64_t bytes = 0;
};

struct LinkStats {
  enum class Owner : uint8_t { kWorker, kNode, kNone };
  Owner owner = Owner::kNone;
  int32_t owner_index = -1;
  std::string_view name;  // "intra-node out" and so on; of added links, theirs
  double bytes_per_second = 0;
  int64_t transfers = 0;  // completed
  int64_t bytes = 0;      // of groups that arrived
  SimTime busy = 0;       // with at least one group moving
};

// One KV cache to another worker, in the mode of the configuration.
struct KvTransferRequest {
  int32_t from = 0;
  int32_t to = 0;
  int64_t bytes = 0;
  int32_t layers = 1;
  // When the first and the last layer are computed. Layer-wise mode sends each as soon as it is
  // there, the other modes everything after the last.
  SimTime first_layer = 0;
  SimTime last_layer = 0;
};

class Network {
 public:
  // `node_of_worker`: >= 0, in any order.
  Network(const NetworkConfig& config, std::span<const int32_t> node_of_worker);

  LinkId AddLink(const LinkConfig& link);
  // Between two workers.
  [[nodiscard]] Path WorkerPath(int32_t from, int32_t to) const;
  [[nodiscard]] TransferSpec KvTransfer(const KvTransferRequest& request) const;

  // `now` never decreases from call to call, and every event before it has been advanced over.
  TransferId Start(SimTime now, const TransferSpec& spec, uint64_t tag);
  // Stops a transfer; groups that have arrived stay counted. False when it is not under way.
  bool Cancel(SimTime now, TransferId id);

  // When something changes next; kNever when nothing is under way.
  [[nodiscard]] SimTime NextEvent() const { return timers_.empty() ? kNever : timers_.time(); }
  // Appends what completes up to `now`, by time, then by the order of the starts.
  void Advance(SimTime now, std::vector<CompletedTransfer>* done);

  [[nodiscard]] int32_t active() const { return active_; }
  [[nodiscard]] int32_t links() const { return static_cast<int32_t>(links_.size()); }
  [[nodiscard]] LinkStats Stats(LinkId link, SimTime now) const;

 private:
  struct Link {
    LinkStats stats;
    double latency_seconds = 0;
    std::string name;        // of added links
    int32_t moving = 0;      // groups
    SimTime busy_since = 0;  // when moving > 0
  };
  struct Transfer {
    TransferId id = kNoTransfer;  // kNoTransfer: the slot is free
    TransferSpec spec;
    uint64_t tag = 0;
    int64_t order = 0;  // of the starts
    SimTime start = 0;
    SimTime latency = 0;
    int32_t group = 0;      // the one to be sent, or on its way
    bool on_links = false;  // the group is ready
    SimTime ready = 0;      // of the group
    double bytes_left = 0;  // of the group, at `since`
    double rate = 0;        // from `since` on
    SimTime since = 0;
    std::vector<SimTime> arrivals;  // of the last `window` groups, when there are more
  };

  LinkId AddPort(const LinkConfig& link, LinkStats::Owner owner, int32_t index,
                 std::string_view name);
  [[nodiscard]] double LatencySeconds(const TransferSpec& spec) const;
  [[nodiscard]] Transfer& At(int32_t slot) { return transfers_[static_cast<size_t>(slot)]; }
  [[nodiscard]] static int32_t SlotOf(TransferId id) {
    return static_cast<int32_t>(id & kSlotMask);
  }
  int32_t TakeSlot();

  [[nodiscard]] SimTime ReadyTime(const Transfer& transfer) const;
  void Await(int32_t slot);
  void Send(int32_t slot, SimTime now);
  void LoadGroup(Transfer* transfer, SimTime now);
  void FinishGroup(int32_t slot, SimTime now, std::vector<CompletedTransfer>* done);
  void ApplyChanges(SimTime now);
  void StopMoving(Transfer* transfer, SimTime now);
  void Free(int32_t slot);

  static constexpr int kSlotBits = 24;  // at most 16 million transfers at once
  static constexpr int64_t kSlotMask = (int64_t{1} << kSlotBits) - 1;

  NetworkConfig config_;
  std::vector<int32_t> nodes_;    // of workers
  std::vector<Link> links_;       // 2 a worker, then 2 a node, then the added ones
  std::vector<LinkId> node_out_;  // by node; node_out_ + 1 is its port in
  std::unique_ptr<SharingRule> sharing_;
  std::vector<Transfer> transfers_;  // slots
  std::vector<int32_t> free_slots_;
  TimerHeap timers_;  // by slot: when its group is ready, or has arrived
  int64_t started_ = 0;
  int32_t active_ = 0;
};

}  // namespace tokensim
