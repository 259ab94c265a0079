#include "tests/property/reference_worker.h"

#include <algorithm>
#include <limits>

namespace tokensim {

std::vector<ReferenceRequest*> ReferenceWorker::Boundary(SimTime now,
                                                         std::vector<ReferenceIteration>* log) {
  std::vector<ReferenceRequest*> finished;
  if (iterating_) {
    log->push_back(iteration_);
    finished = Complete(now);
  }
  for (ReferenceRequest* request : running_) request->step = 0;
  switch (plan_.scheduler.policy) {
    case LocalPolicy::kChunked:
      FormChunked(now);
      break;
    case LocalPolicy::kOrca:
      FormOrca(now);
      break;
    case LocalPolicy::kStatic:
      FormStatic(now);
      break;
    case LocalPolicy::kVllmV0:
      break;
  }
  Start(now);
  return finished;
}

std::vector<ReferenceRequest*> ReferenceWorker::Complete(SimTime now) {
  std::vector<ReferenceRequest*> finished;
  for (ReferenceRequest* request : running_) {
    if (request->step == 0) continue;
    request->computed += request->step;
    if (request->computed < request->target) continue;
    RequestRecord& record = request->record;
    if (request->tokens.empty()) {
      record.first_token = now;
    } else {
      record.max_itl = std::max(record.max_itl, now - request->tokens.back());
    }
    request->tokens.push_back(now);
    if (request->generated() < record.output_tokens) continue;
    request->finished = true;
    record.finish = now;
    ++stats_.finished;
    finished.push_back(request);
  }
  const bool holds_rows = plan_.scheduler.policy == LocalPolicy::kStatic &&
                          std::any_of(running_.begin(), running_.end(),
                                      [](const ReferenceRequest* r) { return !r->finished; });
  if (!holds_rows) std::erase_if(running_, [](const ReferenceRequest* r) { return r->finished; });
  return finished;
}

void ReferenceWorker::FormChunked(SimTime now) {
  int64_t budget = plan_.scheduler.max_num_batched_tokens;
  if (ScheduleRunning(&budget)) return;
  while (!waiting_.empty() && budget > 0 &&
         static_cast<int64_t>(running_.size()) < plan_.scheduler.max_num_seqs) {
    ReferenceRequest* request = waiting_.front();
    const int64_t step = std::min(request->target, budget);
    const int64_t must_fit = plan_.scheduler.reserve_full_prompt ? request->target : step;
    if (BlocksOf(must_fit) > FreeBlocks()) return;
    Admit(now, request, step);
    budget -= step;
  }
}

void ReferenceWorker::FormOrca(SimTime now) {
  int64_t no_limit = std::numeric_limits<int64_t>::max();
  if (ScheduleRunning(&no_limit)) return;
  const int64_t limit = plan_.scheduler.max_num_batched_tokens;
  while (!waiting_.empty() &&
         static_cast<int64_t>(running_.size()) < plan_.scheduler.max_num_seqs) {
    ReferenceRequest* request = waiting_.front();
    int64_t in_batch = 0;
    for (const ReferenceRequest* other : running_) in_batch += other->step;
    if (limit > 0 && in_batch > 0 && in_batch + request->target > limit) return;
    if (BlocksOf(request->target) > FreeBlocks()) return;
    Admit(now, request, request->target);
  }
}

void ReferenceWorker::FormStatic(SimTime now) {
  for (size_t i = 0; i < running_.size(); ++i) {
    ReferenceRequest* request = running_[i];
    if (request->finished) continue;
    bool preempted_itself = false;
    while (BlocksOf(request->computed + 1) - request->blocks > FreeBlocks()) {
      const auto last = std::find_if(running_.rbegin(), running_.rend(),
                                     [](const ReferenceRequest* r) { return !r->finished; });
      preempted_itself = *last == request;
      Preempt(*last);
      if (preempted_itself) break;
    }
    if (preempted_itself) break;
    request->blocks = BlocksOf(request->computed + 1);
    request->step = 1;
  }
  const bool ended = std::all_of(running_.begin(), running_.end(),
                                 [](const ReferenceRequest* r) { return r->finished; });
  if (ended) {
    running_.clear();
    AdmitStatic(now);
  }
}

void ReferenceWorker::AdmitStatic(SimTime now) {
  const int64_t limit = plan_.scheduler.max_num_batched_tokens;
  while (!waiting_.empty() &&
         static_cast<int64_t>(running_.size()) < plan_.scheduler.max_num_seqs) {
    ReferenceRequest* request = waiting_.front();
    int64_t in_batch = 0;
    for (const ReferenceRequest* other : running_) in_batch += other->step;
    if (limit > 0 && !running_.empty() && in_batch + request->target > limit) return;
    if (BlocksOf(request->target) > FreeBlocks()) return;
    Admit(now, request, request->target);
  }
}

bool ReferenceWorker::ScheduleRunning(int64_t* budget) {
  bool preempted = false;
  for (size_t i = 0; i < running_.size(); ++i) {
    ReferenceRequest* request = running_[i];
    const int64_t step = std::min(request->remaining(), *budget);
    if (step == 0) continue;
    bool preempted_itself = false;
    while (BlocksOf(request->computed + step) - request->blocks > FreeBlocks()) {
      ReferenceRequest* last = running_.back();
      preempted_itself = last == request;
      preempted = true;
      Preempt(last);
      if (preempted_itself) break;
    }
    if (preempted_itself) break;
    request->blocks = BlocksOf(request->computed + step);
    request->step = step;
    *budget -= step;
  }
  return preempted;
}

void ReferenceWorker::Admit(SimTime now, ReferenceRequest* request, int64_t step) {
  waiting_.pop_front();
  running_.push_back(request);
  request->step = step;
  request->blocks = BlocksOf(step);
  if (request->record.scheduled == kUnset) request->record.scheduled = now;
}

void ReferenceWorker::Preempt(ReferenceRequest* request) {
  std::erase(running_, request);
  request->blocks = 0;
  request->computed = 0;
  request->step = 0;
  request->target = request->record.input_tokens + request->generated();
  ++request->record.preemptions;
  ++stats_.preemptions;
  waiting_.push_front(request);
}

void ReferenceWorker::Start(SimTime now) {
  IterationShape shape;
  std::vector<PrefillChunk> chunks;
  for (const ReferenceRequest* request : running_) {
    if (request->finished) {
      ++shape.padding_count;
    } else if (request->step > 0 && request->decodes()) {
      ++shape.decode_count;
      shape.decode_context += request->computed + 1;
    } else if (request->step > 0) {
      chunks.push_back(
          {static_cast<int32_t>(request->step), static_cast<int32_t>(request->computed)});
      shape.prefill_tokens += request->step;
      if (request->computed + request->step == request->target) ++shape.sampled_count;
    }
  }
  shape.prefill = chunks;
  shape.sampled_count += shape.decode_count + shape.padding_count;
  stats_.max_running = std::max(stats_.max_running, static_cast<int32_t>(running_.size()));
  stats_.max_kv_blocks_used = std::max(stats_.max_kv_blocks_used, UsedBlocks());

  iterating_ = shape.decode_count > 0 || !chunks.empty();
  busy_ = iterating_;
  boundary_ = kNever;
  if (!iterating_) return;
  const SimTime duration =
      std::max<SimTime>(1, FromSeconds(plan_.compute->IterationSeconds(shape)));
  boundary_ = now + duration;
  iteration_ = {.worker = index_,
                .index = stats_.iterations,
                .end = boundary_,
                .duration = duration,
                .prefill_tokens = shape.prefill_tokens,
                .prefill_chunks = static_cast<int32_t>(chunks.size()),
                .decode_tokens = shape.decode_count,
                .kv_blocks_used = UsedBlocks(),
                .running = static_cast<int32_t>(running_.size()),
                .waiting = static_cast<int32_t>(waiting_.size())};
  ++stats_.iterations;
  stats_.prefill_tokens += shape.prefill_tokens;
  stats_.decode_tokens += shape.decode_count;
  stats_.busy += duration;
  stats_.running_integral += static_cast<double>(running_.size()) * ToSeconds(duration);
  stats_.kv_blocks_integral += static_cast<double>(UsedBlocks()) * ToSeconds(duration);
}

int64_t ReferenceWorker::UsedBlocks() const {
  int64_t used = 0;
  for (const ReferenceRequest* request : running_) used += request->blocks;
  return used;
}

}  // namespace tokensim
