// Max-min fair sharing: no flow can get more without taking from one that has less.
//
// How to find the shares (progressive filling; Bertsekas, Gallager, "Data Networks", 2nd ed.,
// section 6.5.2): raise the rates of all flows together. When a link is full, its flows are done;
// the others go on. An example with three links and four flows:
//
//   link   bandwidth   flows        equal share at first
//   L1     10          A, B         10 / 2 = 5
//   L2     12          B, C, D      12 / 3 = 4   <- the least: L2 is full first
//   L3     20          C, A         20 / 2 = 10
//
//   round 1: L2 is the bottleneck; B = C = D = 4. Left: L1 10 - 4 = 6 for A, L3 20 - 4 = 16 for A.
//   round 2: L1 is the bottleneck of A; A = 6. All have a rate: A 6, B 4, C 4, D 4.
//
// L1 and L2 are full; L3 has 10 to spare that nobody can use. Giving D more would take it from B or
// C, which have no more than D: that is max-min fairness. SimGrid solves the same system
// (Casanova et al., "Versatile, scalable, and accurate simulation of distributed applications and
// platforms", JPDC 2014), which stands for TCP-like sharing without round-trip effects.
//
// A flow that comes or goes can only change the rates of flows it is connected to by shared links.
// Only those are computed again; a flow alone on its links costs a minimum.
#pragma once

#include <vector>

#include "engine/network/link_sharing.h"

namespace tokensim {

class MaxMinSharing final : public SharingRule {
 public:
  void AddLink(double bytes_per_second) override;
  void Add(int32_t flow, const Path& path, FlowKey key) override;
  void Next(int32_t flow, FlowKey key) override;
  void Remove(int32_t flow) override;

 private:
  struct Link {
    double bytes_per_second = 0;
    std::vector<int32_t> flows;
    int64_t visit = 0;
    // While filling.
    double left = 0;   // bandwidth not given away
    int32_t open = 0;  // flows without a rate
  };
  struct Flow {
    Path path;
    double rate = 0;
    double share = 0;  // while filling; negative: none yet
    int64_t visit = 0;
  };

  [[nodiscard]] Link& At(LinkId link) { return links_[static_cast<size_t>(link)]; }
  [[nodiscard]] Flow& FlowAt(int32_t flow) { return flows_[static_cast<size_t>(flow)]; }
  void VisitLinks(const Path& path);
  void VisitFlow(int32_t flow);
  void Collect();
  void Fill();
  [[nodiscard]] Link* Bottleneck();
  void Report();

  std::vector<Link> links_;
  std::vector<Flow> flows_;
  int64_t visit_ = 0;
  std::vector<LinkId> linked_;     // links of the flows to compute again
  std::vector<int32_t> affected_;  // these flows
};

}  // namespace tokensim
