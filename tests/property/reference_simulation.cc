#include "tests/property/reference_simulation.h"

#include <algorithm>
#include <deque>
#include <memory>

#include "tests/property/reference_worker.h"

namespace tokensim {
namespace {

class ReferenceRun {
 public:
  explicit ReferenceRun(const Plan& plan) : plan_(plan), outstanding_(plan.workers.size(), 0) {
    for (size_t i = 0; i < plan.workers.size(); ++i) {
      workers_.emplace_back(plan.workers[i], static_cast<int32_t>(i));
    }
  }

  ReferenceResults Run() {
    const auto source = MakeRequestSource(plan_.workload, plan_.seed);
    while (true) {
      SimTime now = source->Peek() != nullptr ? source->Peek()->arrival : kNever;
      for (const ReferenceWorker& worker : workers_) now = std::min(now, worker.boundary());
      if (now == kNever) return Finish(EndReason::kCompleted);
      if (now > plan_.max_simulated_time) return Finish(EndReason::kMaxSimulatedTime);
      results_.end_time = now;
      for (; source->Peek() != nullptr && source->Peek()->arrival == now; source->Pop()) {
        Arrive(*source->Peek());
      }
      for (ReferenceWorker& worker : workers_) {
        if (worker.boundary() != now) continue;
        for (const ReferenceRequest* request : worker.Boundary(now, &results_.iterations)) {
          --outstanding_[static_cast<size_t>(request->record.worker)];
        }
      }
    }
  }

 private:
  void Arrive(const RequestInput& input) {
    ReferenceRequest& request = requests_.emplace_back();
    RequestRecord& record = request.record;
    record.request_id = results_.arrived++;
    record.arrival = input.arrival;
    record.input_tokens = input.input_tokens;
    record.output_tokens = input.output_tokens;
    record.worker = Dispatch();
    request.target = input.input_tokens;
    const WorkerPlan& worker = plan_.workers[static_cast<size_t>(record.worker)];
    const int64_t total = int64_t{input.input_tokens} + input.output_tokens;
    const int64_t peak_blocks = (total - 1 + worker.block_size - 1) / worker.block_size;
    if (total > worker.max_model_len) {
      record.reject_reason = RejectReason::kMaxModelLen;
    } else if (peak_blocks > worker.kv_blocks) {
      record.reject_reason = RejectReason::kKvCapacity;
    }
    if (record.reject_reason != RejectReason::kNone) {
      record.finish = input.arrival;
      return;
    }
    ++outstanding_[static_cast<size_t>(record.worker)];
    ReferenceWorker& target = workers_[static_cast<size_t>(record.worker)];
    record.queued = target.busy() && target.boundary() != kNever ? target.boundary() : input.arrival;
    target.Enqueue(&request);
    if (!target.busy()) target.Wake(input.arrival);
  }

  int32_t Dispatch() {
    if (plan_.global_scheduler.policy == GlobalPolicy::kRoundRobin) {
      return static_cast<int32_t>(dispatched_++ % plan_.workers.size());
    }
    return static_cast<int32_t>(std::min_element(outstanding_.begin(), outstanding_.end()) -
                                outstanding_.begin());
  }

  ReferenceResults Finish(EndReason reason) {
    results_.end_reason = reason;
    for (ReferenceRequest& request : requests_) {
      if (request.record.finish != kUnset) results_.records.push_back(request.record);
      results_.token_times.push_back(std::move(request.tokens));
    }
    for (const ReferenceWorker& worker : workers_) results_.workers.push_back(worker.stats());
    return std::move(results_);
  }

  const Plan& plan_;
  std::deque<ReferenceRequest> requests_;
  std::deque<ReferenceWorker> workers_;
  std::vector<int32_t> outstanding_;
  size_t dispatched_ = 0;
  ReferenceResults results_;
};

}  // namespace

ReferenceResults RunReference(const Plan& plan) { return ReferenceRun(plan).Run(); }

}  // namespace tokensim
