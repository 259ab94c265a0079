#include "engine/cluster/router.h"

#include <algorithm>

namespace tokensim {
namespace {

// The router's own look into a worker's prefix cache.
class WorkerPrefixProbe final : public PrefixProbe {
 public:
  WorkerPrefixProbe(const std::deque<Worker>& workers, const LiveRequest& request)
      : workers_(workers), request_(request) {}
  int32_t HitTokens(int32_t worker) const override {
    return workers_[static_cast<size_t>(worker)].state().HitTokens(request_);
  }

 private:
  const std::deque<Worker>& workers_;
  const LiveRequest& request_;
};

uint64_t PrefixKey(const PromptText& text) {
  if (text.prefix_tokens > 0) return 2 * (text.prefix_group + 1);
  if (!text.hash_ids.empty()) return 2 * static_cast<uint64_t>(text.hash_ids[0]) + 1;
  if (text.conversation >= 0)
    return 2 * (static_cast<uint64_t>(text.conversation) + 1) | 1ULL << 63;
  return 0;
}

int64_t TotalTokens(const LiveRequest& r) { return int64_t{r.input_tokens} + r.output_tokens; }

}  // namespace

void HomelessQueue::Push(RequestHandle handle, SimTime now) {
  integral_ = Integral(now);
  accounted_ = now;
  queue_.push_back(handle);
}

RequestHandle HomelessQueue::Pop(SimTime now) {
  integral_ = Integral(now);
  accounted_ = now;
  const RequestHandle handle = queue_.front();
  queue_.pop_front();
  return handle;
}

__int128 HomelessQueue::Integral(SimTime now) const {
  return integral_ + static_cast<__int128>(queue_.size()) * (now - accounted_);
}

Router::Router(const Plan& plan, const RequestSlab& slab, const std::deque<Worker>& workers)
    : plan_(plan),
      slab_(slab),
      workers_(workers),
      dispatcher_(plan.global_scheduler->Make({plan.seed, "dispatch"})),
      transfer_scheduler_(plan.transfer_scheduler->Make({plan.seed, "transfer"})) {
  signals_.Resize(plan.workers.size());
  if (plan.global_scheduler->traits().wants_finishes) {
    finish_listeners_.push_back(dispatcher_.get());
  }
  if (plan.transfer_scheduler->traits().wants_finishes) {
    finish_listeners_.push_back(transfer_scheduler_.get());
  }
  bool any_decoder = false;
  for (size_t i = 0; i < plan.workers.size(); ++i) {
    const WorkerPlan& worker = plan.workers[i];
    signals_.kv_total[i] = worker.kv_blocks;
    any_prefix_cache_ = any_prefix_cache_ || worker.prefix_caching;
    if (worker.role == Role::kPrefill) continue;
    const int64_t tokens = worker.KvTokens();
    decoders_differ_ = decoders_differ_ || (any_decoder && largest_decode_tokens_ != tokens);
    any_decoder = true;
    largest_decode_tokens_ = std::max(largest_decode_tokens_, tokens);
  }
  if (plan.signal_delay > 0) signals_.refreshes = 1;
  stale_signals_ = signals_;
}

void Router::UpdateCandidates(const Fleet& fleet) {
  prefill_candidates_.clear();
  decode_candidates_.clear();
  for (int32_t i = 0; i < fleet.size(); ++i) {
    if (!fleet.serves(i)) continue;
    const Role role = plan_.workers[static_cast<size_t>(i)].role;
    if (role != Role::kDecode) prefill_candidates_.push_back(i);
    if (role != Role::kPrefill) decode_candidates_.push_back(i);
  }
}

int32_t Router::Choose(GlobalScheduler& scheduler, std::span<const int32_t> candidates,
                       const LiveRequest& r) {
  const WorkerPrefixProbe probe(workers_, r);
  return scheduler.Dispatch({.signals = plan_.signal_delay > 0 ? stale_signals_ : signals_,
                             .candidates = candidates,
                             .input_tokens = r.prefill_target(),
                             .transfer = &scheduler == transfer_scheduler_.get(),
                             .conversation = r.conversation,
                             .prefix_key = PrefixKey(r.text()),
                             .prefix = any_prefix_cache_ ? &probe : nullptr});
}

int32_t Router::ChooseFirst(const LiveRequest& r) {
  return Choose(*dispatcher_, prefill_candidates_, r);
}

int32_t Router::ChooseNext(const LiveRequest& r, int32_t from) {
  const WorkerPlan& sender = plan_.workers[static_cast<size_t>(from)];
  std::span<const int32_t> candidates = decode_candidates_;
  const auto narrow = [&](std::vector<int32_t>* chosen, const auto& may) {
    chosen->clear();
    for (const int32_t i : candidates) {
      if (may(i)) chosen->push_back(i);
    }
    if (!chosen->empty()) candidates = *chosen;
  };
  if (sender.role != Role::kPrefill) {
    narrow(&other_candidates_, [&](int32_t i) { return i != from; });
  }
  if (decoders_differ_) {
    narrow(&fitting_candidates_, [&](int32_t i) {
      return At(i).CheckFits(r.prefill_target(), TotalTokens(r)) == RejectReason::kNone;
    });
  }
  if (plan_.intra_node_first) {
    narrow(&node_candidates_, [&](int32_t i) {
      const WorkerState& state = At(i).state();
      return At(i).plan().node == sender.node &&
             state.free_blocks() > state.BlocksFor(r.prefill_target());
    });
  }
  return Choose(*transfer_scheduler_, candidates, r);
}

int32_t Router::FindTarget(int32_t from, RequestHandle request) {
  const LiveRequest& r = slab_[request];
  const WorkerState& sender = At(from).state();
  const int32_t tokens = sender.decodes().Computed(r);
  int32_t best = -1;
  int64_t most = 0;
  const int32_t block_size = At(from).plan().block_size;
  for (const int32_t candidate : decode_candidates_) {
    const Worker& worker = At(candidate);
    // Room for the cache and for as much again to grow.
    if (candidate == from || worker.plan().block_size != block_size ||
        worker.state().has_waiting() ||
        worker.state().slots_used() >= worker.plan().scheduler.max_num_seqs ||
        worker.CheckFits(r.input_tokens, TotalTokens(r)) != RejectReason::kNone) {
      continue;
    }
    const WorkerState& state = worker.state();
    const int64_t free = state.free_blocks() - 2 * state.BlocksFor(tokens) - state.decode_count();
    if (free > most) {
      most = free;
      best = candidate;
    }
  }
  return best;
}

RejectReason Router::Check(const LiveRequest& r, int32_t worker) const {
  const int64_t total = TotalTokens(r);
  const RejectReason reject = At(worker).CheckFits(r.prefill_target(), total);
  if (reject == RejectReason::kNone && total - 1 > largest_decode_tokens_ &&
      r.generated + 1 < r.output_tokens) {
    return RejectReason::kKvCapacity;
  }
  return reject;
}

void Router::OnFinish(const LiveRequest& r) {
  const FinishedRequest request = {.worker = r.worker,
                                   .input_tokens = r.input_tokens,
                                   .output_tokens = r.output_tokens,
                                   .conversation = r.conversation,
                                   .prefix_key = PrefixKey(r.text())};
  for (GlobalScheduler* scheduler : finish_listeners_) scheduler->OnFinish(request);
}

}  // namespace tokensim
