// Which worker a request of the reference simulator is sent to.
#include <algorithm>
#include <iterator>
#include <utility>

#include "tests/property/reference_run.h"

namespace tokensim {

namespace {

// What prompts have in common begins alike: engine/policy/global/global_scheduler.h.
uint64_t PrefixKey(const RequestInput& input) {
  const PromptContent& content = input.content;
  if (content.prefix_tokens > 0) return 2 * (content.prefix_group + 1);
  if (!content.hash_ids.empty()) return 2 * static_cast<uint64_t>(content.hash_ids[0]) + 1;
  if (input.conversation < 0) return 0;
  return 2 * (static_cast<uint64_t>(input.conversation) + 1) | 1ULL << 63;
}

class Probe final : public PrefixProbe {
 public:
  Probe(const std::deque<ReferenceWorker>& workers, const ReferenceRequest& request)
      : workers_(workers), request_(request) {}
  int32_t HitTokens(int32_t worker) const override {
    return static_cast<int32_t>(workers_[static_cast<size_t>(worker)].HitTokens(request_));
  }

 private:
  const std::deque<ReferenceWorker>& workers_;
  const ReferenceRequest& request_;
};

}  // namespace

std::vector<int32_t> ReferenceRun::Candidates(Role other) const {
  std::vector<int32_t> candidates;
  for (size_t i = 0; i < workers_.size(); ++i) {
    const bool serves = members_[i].status == WorkerStatus::kServing;
    if (serves && plan_.workers[i].role != other) candidates.push_back(static_cast<int32_t>(i));
  }
  return candidates;
}

void ReferenceRun::Dispatch(ReferenceRequest* request, SimTime now) {
  const std::vector<int32_t> candidates = Prefillers();
  if (candidates.empty()) {
    homeless_.push_back(request);
    return;
  }
  request->EndDecodeWait(now);  // it begins again
  SendTo(Choose(*dispatcher_, candidates, *request), request, now);
}

WorkerSignals ReferenceRun::Signals() const {
  WorkerSignals signals;
  signals.Resize(workers_.size());
  for (const ReferenceRequest& request : requests_) {
    const auto count = [&signals](int32_t worker, int64_t kv_tokens) {
      if (worker < 0) return;
      ++signals.outstanding[static_cast<size_t>(worker)];
      signals.outstanding_kv_tokens[static_cast<size_t>(worker)] += kv_tokens;
    };
    count(request.at, request.sent_kv_tokens);
    if (request.reserved_at >= 0) count(request.reserved_at, request.move->tokens);
  }
  for (size_t i = 0; i < workers_.size(); ++i) {
    signals.waiting[i] = static_cast<int32_t>(workers_[i].waiting());
    signals.outstanding_tokens[i] = workers_[i].pending_tokens();
    signals.kv_used[i] = workers_[i].blocks().used();
    signals.kv_total[i] = plan_.workers[i].kv_blocks;
  }
  return signals;
}

int32_t ReferenceRun::Choose(GlobalScheduler& scheduler, const std::vector<int32_t>& candidates,
                             const ReferenceRequest& request) {
  const WorkerSignals signals = plan_.signal_delay > 0 ? stale_signals_ : Signals();
  const Probe probe(workers_, request);
  const bool caches = std::any_of(plan_.workers.begin(), plan_.workers.end(),
                                  [](const WorkerPlan& w) { return w.prefix_caching; });
  return scheduler.Dispatch({.signals = signals,
                             .candidates = candidates,
                             .input_tokens = static_cast<int32_t>(request.to_compute()),
                             .transfer = &scheduler == transfer_scheduler_.get(),
                             .conversation = request.input.conversation,
                             .prefix_key = PrefixKey(request.input),
                             .prefix = caches ? &probe : nullptr});
}

int32_t ReferenceRun::ChooseDecoder(const ReferenceRequest& request, int32_t from) {
  std::vector<int32_t> candidates = Decoders();
  const auto narrow = [&candidates](const auto& may) {
    std::vector<int32_t> chosen;
    std::copy_if(candidates.begin(), candidates.end(), std::back_inserter(chosen), may);
    if (!chosen.empty()) candidates = chosen;
  };
  if (PlanOf(from).role != Role::kPrefill) {
    narrow([&](int32_t i) { return i != from; });
  }
  const std::vector<int64_t> sizes = DecoderTokens();
  if (std::any_of(sizes.begin(), sizes.end(), [&](int64_t size) { return size != sizes[0]; })) {
    narrow([&](int32_t i) {
      return WorkerAt(i).CheckFits(request.to_compute(), Total(request)) == RejectReason::kNone;
    });
  }
  if (plan_.intra_node_first) {
    narrow([&](int32_t i) {
      const ReferenceWorker& worker = WorkerAt(i);
      return worker.plan().node == WorkerAt(from).plan().node &&
             worker.blocks().free() > worker.BlocksOf(request.to_compute());
    });
  }
  return Choose(*transfer_scheduler_, candidates, request);
}

std::vector<int64_t> ReferenceRun::DecoderTokens() const {
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < plan_.workers.size(); ++i) {
    if (plan_.workers[i].role == Role::kPrefill) continue;
    sizes.push_back(WorkerAt(static_cast<int32_t>(i)).most_tokens());
  }
  return sizes;
}

void ReferenceRun::SendTo(int32_t to, ReferenceRequest* request, SimTime now) {
  RejectReason reason = WorkerAt(to).CheckFits(request->to_compute(), Total(*request));
  int64_t largest = 0;
  for (const int64_t tokens : DecoderTokens()) largest = std::max(largest, tokens);
  const bool will_decode = request->generated() + 1 < request->record.output_tokens;
  if (reason == RejectReason::kNone && will_decode && Total(*request) - 1 > largest) {
    reason = RejectReason::kKvCapacity;
  }
  if (reason != RejectReason::kNone) return Reject(request, reason, to, now);
  if (request->home == CacheHome::kNowhere) LookUpPool(request, WorkerAt(to).plan().block_size);
  WorkerAt(to).Enqueue(request, now);
}

void ReferenceRun::LookUpPool(ReferenceRequest* request, int64_t block_size) {
  if (!pool_ || request->input.conversation < 0 || request->input.turn == 0) return;
  const int64_t found = pool_->Find(request->input.conversation);
  const int64_t tokens = std::min(found, request->to_compute() - 1) / block_size * block_size;
  if (tokens == 0) return;
  pool_->Pin(request->input.conversation);
  request->home = CacheHome::kPool;
  request->stored = tokens;
}

int32_t ReferenceRun::MigrationTarget(int32_t from, const ReferenceRequest& request) {
  int32_t best = -1;
  int64_t most = 0;
  for (const int32_t i : Decoders()) {
    const ReferenceWorker& worker = WorkerAt(i);
    if (i == from || worker.plan().block_size != WorkerAt(from).plan().block_size) continue;
    if (worker.has_waiting() || worker.slots() >= worker.plan().scheduler.max_num_seqs) continue;
    if (worker.CheckFits(request.to_compute(), Total(request)) != RejectReason::kNone) continue;
    const int64_t left =
        worker.blocks().free() - 2 * worker.BlocksOf(request.computed) - worker.decodes();
    if (left > most) {
      most = left;
      best = i;
    }
  }
  return best;
}

}  // namespace tokensim
