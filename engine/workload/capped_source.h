// A client with places: it has at most so many requests in the system, and holds those whose time
// has come back until one is free, in order.
//
//   CappedSource source(MakeRequestSource(workload, seed), 256, last_arrival);
//   source.Pop();                  // the request peeked at takes a place
//   source.OnEnded(tag, now);      // gives it back: Peek may show the next one
//
// A request is sent at max(its time, when a place is free), and never before the one in front of
// it. What load generators with a limit of concurrency do. Internal to engine/workload.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include "engine/workload/workload.h"

namespace tokensim {

class CappedSource final : public RequestSource {
 public:
  // `intended` is not reactive; `places` >= 1. Nothing is sent after `last`.
  CappedSource(std::unique_ptr<RequestSource> intended, int64_t places, SimTime last);

  void Pop() override;
  [[nodiscard]] bool reactive() const override { return true; }
  void OnEnded(int64_t source_tag, SimTime now) override;
  void OnRejected(int64_t source_tag, SimTime now) override { OnEnded(source_tag, now); }

 private:
  void Show();

  std::unique_ptr<RequestSource> intended_;
  int64_t unused_;  // places that nobody has had yet
  SimTime last_;
  // When the other places that are free became so: what is told may be a little in the future.
  std::priority_queue<SimTime, std::vector<SimTime>, std::greater<>> freed_;
  SimTime sent_ = 0;  // the last one
};

}  // namespace tokensim
