// Draws everything of a request but its time: client class, prefix group, lengths, hash ids.
//
// Each draws from its own stream: "class", "prefix", "length" and, for a class with lengths of its
// own, "length.<index>". A length is drawn from the workload's lengths for every request, used or
// not, so that classes change only the requests of classes with lengths of their own.
//
//   RequestDrawer drawer(workload, seed);
//   RequestInput request;
//   drawer.DrawClient(&request);   // once for all turns of a conversation
//   LengthDraw lengths = drawer.DrawLengths(request.client_class, &request.content);
//
// The draws after n requests do not depend on when they arrive. Internal to engine/workload.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/rng.h"
#include "engine/workload/length_stream.h"
#include "engine/workload/workload.h"

namespace tokensim {

// Index i with probability weight[i] / sum.
class WeightedSampler {
 public:
  explicit WeightedSampler(const std::vector<double>& weights);

  [[nodiscard]] size_t size() const { return cumulative_.size(); }
  size_t Draw(RngStream& rng) const;

 private:
  std::vector<double> cumulative_;
};

class RequestDrawer {
 public:
  RequestDrawer(const Workload& workload, uint64_t seed);

  // Sets client_class and, in content, the prefix group.
  void DrawClient(RequestInput* request);
  // Lengths without the prefix; sets the hash ids of a prompt of a trace that has them.
  LengthDraw DrawLengths(int32_t client_class, PromptContent* content);

 private:
  RngStream class_rng_;
  RngStream prefix_rng_;
  WeightedSampler classes_;
  WeightedSampler groups_;
  int32_t prefix_tokens_ = 0;
  std::shared_ptr<const TraceTable> trace_;
  LengthStream lengths_;
  std::vector<std::unique_ptr<LengthStream>> class_lengths_;  // of each class; null: lengths_
};

}  // namespace tokensim
