// The requests of a running set in the order in which they were admitted.
//
//   AdmissionOrder order(slab);
//   order.Append(request);
//   order.Remove(request);                  // any of them
//   order.back();                           // the one admitted last
//   for (size_t i = 0; i < order.size(); ++i) if (order[i] != kNoRequest) Use(order[i]);
//
// An array of handles with holes where requests left: to remove one touches neither of its
// neighbours, which are seldom in a cache. When three of four places are holes the others move up,
// so that Append and Remove are O(1), amortised. The last place is never a hole.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/worker/live_request.h"

namespace tokensim {

class AdmissionOrder {
 public:
  explicit AdmissionOrder(RequestSlab& slab) : slab_(slab) {}

  // Places, holes (kNoRequest) among them.
  [[nodiscard]] size_t size() const { return places_.size(); }
  [[nodiscard]] RequestHandle operator[](size_t i) const { return places_[i]; }
  // kNoRequest: nobody is here.
  [[nodiscard]] RequestHandle back() const { return places_.empty() ? kNoRequest : places_.back(); }

  void Append(RequestHandle handle) {
    slab_[handle].running_place = static_cast<uint32_t>(places_.size());
    places_.push_back(handle);
  }
  void Remove(RequestHandle handle) {
    places_[slab_[handle].running_place] = kNoRequest;
    ++holes_;
    while (!places_.empty() && places_.back() == kNoRequest) {
      places_.pop_back();
      --holes_;
    }
    if (holes_ > kFewHoles && 4 * holes_ > 3 * places_.size()) CloseHoles();
  }
  void Clear() {
    places_.clear();
    holes_ = 0;
  }

 private:
  static constexpr size_t kFewHoles = 64;

  void CloseHoles() {
    std::erase(places_, kNoRequest);
    for (size_t i = 0; i < places_.size(); ++i) {
      slab_[places_[i]].running_place = static_cast<uint32_t>(i);
    }
    holes_ = 0;
  }

  RequestSlab& slab_;
  std::vector<RequestHandle> places_;
  size_t holes_ = 0;
};

}  // namespace tokensim
