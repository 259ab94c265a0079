// The requests of one worker that do not run yet.
//
//   waiting   in the order of the queue; the KV cache may be elsewhere (LiveRequest::kv_source)
//   loading   hold blocks into which their KV cache is moving
//   loaded    the beginning of their prompt came from the memory pool: served before the others
//   ready     loaded as a whole, to decode with the next batch
//
//   Queues queues(slab, queue_order, /*classes=*/1);
//   queues.PushBack(request);
//   while (queues.has_waiting()) Admit(queues.PopFront());
//
// Loading and ready requests take places of max_num_seqs, unless the scheduler is told otherwise.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/base/ring_queue.h"
#include "engine/worker/live_request.h"
#include "engine/worker/queue_order.h"
#include "engine/worker/waiting_queue.h"

namespace tokensim {

class Queues {
 public:
  Queues(RequestSlab& slab, const QueueOrderFactory& order, int32_t classes);

  // ---- Waiting and loaded

  [[nodiscard]] bool has_waiting() const { return !waiting_.empty() || !loaded_.empty(); }
  // The request that is served next; somebody waits.
  [[nodiscard]] RequestHandle front() const {
    return loaded_.empty() ? waiting_.front() : loaded_.front();
  }
  [[nodiscard]] bool front_is_loaded() const { return !loaded_.empty(); }
  // A request that arrives; one that was preempted.
  void PushBack(RequestHandle handle);
  void PushFront(RequestHandle handle);
  RequestHandle PopFront();

  // The client classes are served by turns (QueueKind::kFair).
  [[nodiscard]] bool is_fair() const { return waiting_.kind() == QueueKind::kFair; }
  // The class was served.
  void Charge(int32_t client_class, int64_t service) { waiting_.Charge(client_class, service); }

  // ---- Loading and ready

  void BeginLoad(RequestHandle handle);
  // The cache of a request that still runs elsewhere is on its way; it runs there no longer.
  void ReserveLoad(RequestHandle handle);
  void BeginReservedLoad() { --reserved_; }
  // `resumes`: its whole cache is here, and it is ready; else it is loaded.
  void FinishLoad(RequestHandle handle, bool resumes);
  void CancelLoad(RequestHandle handle);
  // Takes a ready request out; kNoRequest: there is none.
  RequestHandle PopReady();
  // The loads that began since the last call of ClearLoadsBegun.
  [[nodiscard]] const std::vector<RequestHandle>& loads_begun() const { return loads_begun_; }
  void ClearLoadsBegun() { loads_begun_.clear(); }

  // ---- Counts

  [[nodiscard]] int64_t waiting_and_loaded() const {
    return static_cast<int64_t>(waiting_.size() + loaded_.size());
  }
  [[nodiscard]] int32_t waiting_loaded_and_ready() const {
    return static_cast<int32_t>(waiting_.size() + loaded_.size() + ready_.size());
  }
  [[nodiscard]] bool has_ready() const { return !ready_.empty(); }
  // Somebody loads, or keeps blocks here while it still runs elsewhere.
  [[nodiscard]] bool has_loading() const { return !loading_.empty(); }
  // Requests that load or are ready.
  [[nodiscard]] int32_t places() const { return places_; }
  // Requests that are here, or come here from nowhere else, and load.
  [[nodiscard]] int32_t loading_count() const {
    return static_cast<int32_t>(loading_.size()) - reserved_;
  }
  // Tokens of prompts of those that wait or are loaded that are not in the cache.
  [[nodiscard]] int64_t pending_tokens() const { return pending_tokens_; }

  // Takes everybody out: ready, loading, loaded, waiting.
  void Drain(std::vector<RequestHandle>* requests);

 private:
  [[nodiscard]] int64_t KeyOf(const LiveRequest& r) const;
  [[nodiscard]] static int64_t PendingTokens(const LiveRequest& r) {
    return r.resumes() ? 0 : r.prefill_target() - r.computed;
  }

  RequestSlab& slab_;
  const std::unique_ptr<QueueOrder> order_;
  WaitingQueue waiting_;
  std::vector<RequestHandle> loading_;
  RingQueue<RequestHandle> loaded_;
  RingQueue<RequestHandle> ready_;
  std::vector<RequestHandle> loads_begun_;
  int32_t places_ = 0;
  int32_t reserved_ = 0;  // of the loading, that still run elsewhere
  int64_t pending_tokens_ = 0;
};

inline int64_t Queues::KeyOf(const LiveRequest& r) const {
  if (waiting_.kind() != QueueKind::kKeyed) return 0;
  return order_->Key({.tokens = r.prefill_target(),
                      .priority = r.priority,
                      .arrival = r.arrival,
                      .deadline = r.deadline,
                      .client_class = r.client_class,
                      .output_tokens = r.output_tokens});
}

inline void Queues::PushBack(RequestHandle handle) {
  const LiveRequest& r = slab_[handle];
  waiting_.push_back(handle, KeyOf(r), r.client_class);
  pending_tokens_ += PendingTokens(r);
}

inline RequestHandle Queues::PopFront() {
  const RequestHandle handle = front();
  if (loaded_.empty()) {
    waiting_.pop_front();
  } else {
    loaded_.pop_front();
  }
  pending_tokens_ -= PendingTokens(slab_[handle]);
  return handle;
}

inline RequestHandle Queues::PopReady() {
  if (ready_.empty()) return kNoRequest;
  const RequestHandle handle = ready_.front();
  ready_.pop_front();
  --places_;
  return handle;
}

}  // namespace tokensim
