// First in, first out: a flow holds every link of its path alone, at the bandwidth of the slowest.
//
//   link 1 queue: A B        A is first on all its links: it moves.
//   link 2 queue: B C        B is first on link 2 but not on link 1: it waits.
//   link 3 queue: C          C is first on link 3 but not on link 2: it waits behind B.
//
// Each link has a queue ordered by FlowKey; a flow moves when it is the first of all its links and
// they are free. The order is the same on every link, so the first flow of all can always move:
// no deadlock. A link may stand idle while its first flow waits for another link, as in a switch
// with head-of-line blocking.
#pragma once

#include <vector>

#include "engine/network/link_sharing.h"

namespace tokensim {

class FifoSharing final : public SharingRule {
 public:
  void AddLink(double bytes_per_second) override;
  void Add(int32_t flow, const Path& path, FlowKey key) override;
  void Next(int32_t flow, FlowKey key) override;
  void Remove(int32_t flow) override;

 private:
  struct Entry {
    FlowKey key;
    int32_t flow = 0;
  };
  struct Link {
    double bytes_per_second = 0;
    bool taken = false;
    std::vector<Entry> queue;  // a heap, the first in front
  };
  struct Flow {
    Path path;
    bool moves = false;
  };
  static bool Later(const Entry& a, const Entry& b) { return b.key < a.key; }

  [[nodiscard]] Link& At(LinkId link) { return links_[static_cast<size_t>(link)]; }
  void Enqueue(int32_t flow, FlowKey key);
  void LeaveLinks(int32_t flow);
  void TryStart(int32_t flow);
  void TryFirstOf(const Path& path);

  std::vector<Link> links_;
  std::vector<Flow> flows_;
};

}  // namespace tokensim
