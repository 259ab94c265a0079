#include "tests/property/reference_worker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <utility>

#include "engine/worker/local_scheduler.h"

namespace tokensim {

ReferenceWorker::ReferenceWorker(const WorkerPlan& plan, int32_t index, FindTarget find_target,
                                 FetchFromPool fetch, bool layerwise)
    : plan_(plan),
      index_(index),
      most_tokens_(MostTokens(plan)),
      groups_(GroupsOf(plan)),
      find_target_(std::move(find_target)),
      fetch_(std::move(fetch)),
      layerwise_(layerwise),
      blocks_(plan.kv_blocks, plan.reuses_unfindable_first),
      waiting_(plan.scheduler) {}

RejectReason ReferenceWorker::CheckFits(int64_t prompt, int64_t total) const {
  if (total > plan_.max_model_len) return RejectReason::kMaxModelLen;
  // The last token is not stored, and a prefill worker hands on after the first.
  const int64_t most = plan_.role == Role::kPrefill ? prompt : total - 1;
  return most > most_tokens_ ? RejectReason::kKvCapacity : RejectReason::kNone;
}

void ReferenceWorker::Enqueue(ReferenceRequest* request, SimTime now) {
  request->at = request->record.worker = index_;
  request->sent_kv_tokens = request->resumes() ? request->stored : request->to_compute();
  request->ran_here = false;
  request->waits_since = now;
  if (request->record.queued == kUnset) {
    request->record.queued = iterating_ ? boundary_ : std::max(now, stand_by_);
  }
  waiting_.Arrive(request);
  Wake(now);
}

void ReferenceWorker::Wake(SimTime now) {
  if (!idle_) return;
  idle_ = false;
  boundary_ = now;
}

void ReferenceWorker::Hurry(SimTime now) {
  hurried_ = true;
  Wake(now);
}

// Requests here are running, waiting or loading; those whose KV cache is still to leave are held.
// One that blocks are kept for runs elsewhere.
void ReferenceWorker::Account(SimTime duration) {
  if (duration == 0) return;
  const auto loading =
      std::count_if(loading_.begin(), loading_.end(),
                    [this](const ReferenceRequest* r) { return r->reserved_at != index_; });
  const Occupancy now = {.running = static_cast<int32_t>(running_.size() + leaving_.size()),
                         .waiting = static_cast<int32_t>(waiting()),
                         .loading = static_cast<int32_t>(loading),
                         .held = static_cast<int32_t>(outgoing_),
                         .kv_blocks = blocks_.used()};
  stats_.occupancy.running += static_cast<__int128>(now.running) * duration;
  stats_.occupancy.waiting += static_cast<__int128>(now.waiting) * duration;
  stats_.occupancy.loading += static_cast<__int128>(now.loading) * duration;
  stats_.occupancy.held += static_cast<__int128>(now.held) * duration;
  stats_.occupancy.kv_blocks += static_cast<__int128>(now.kv_blocks) * duration;
  stats_.max_running = std::max(stats_.max_running, now.running);
  stats_.max_kv_blocks_used = std::max(stats_.max_kv_blocks_used, now.kv_blocks);
  if (iterating_) stats_.busy += duration;
}

// ---- Iterations

std::vector<ReferenceMessage> ReferenceWorker::Boundary(SimTime now,
                                                        std::vector<ReferenceIteration>* log) {
  if (Prepare(now, log)) Launch(now, Fetch(now), BatchSeconds(0));
  return TakeMessages();
}

bool ReferenceWorker::Prepare(SimTime now, std::vector<ReferenceIteration>* log) {
  stand_by_ = kUnset;
  waits_ = false;
  if (iterating_) Complete(now, log);
  if (failing_) {
    messages_.push_back({.kind = ReferenceMessage::Kind::kFailed});
  } else if (!next_.steps.empty()) {
    current_ = std::move(next_);
    next_ = {};
  } else {
    do {
      Form(now, &current_);
    } while (current_.steps.empty() && current_.changed);
  }
  hurried_ = false;
  idle_ = current_.steps.empty();
  iterating_ = !idle_;
  if (idle_) boundary_ = waits_ ? wake_up_ : kNever;
  return iterating_;
}

SimTime ReferenceWorker::Fetch(SimTime now) {
  SimTime fetched = now;
  for (const auto& [request, tokens] : current_.fetches) {
    request->home = CacheHome::kNowhere;
    fetched = std::max(fetched, fetch_(index_, tokens, now));
  }
  return fetched;
}

void ReferenceWorker::Launch(SimTime now, SimTime fetched, double seconds) {
  warm_ = true;
  const SimTime duration = std::max<SimTime>(1, FromSeconds(seconds)) + fetched - now;
  boundary_ = now + duration;
  compute_begin_ = fetched;
  std::vector<PrefillChunk> chunks;
  std::vector<WindowContext> windows;
  const IterationShape shape = ShapeOf(&chunks, &windows);
  ReferenceIteration& figures = current_.figures;
  figures.worker = index_;
  figures.index = stats_.iterations;
  figures.end = boundary_;
  figures.duration = duration;
  figures.prefill_tokens = shape.prefill_tokens;
  figures.prefill_chunks = static_cast<int32_t>(chunks.size());
  figures.decode_tokens = shape.decode_count;
  figures.kv_blocks_used = blocks_.used();
  if (layerwise_) AnnouncePrefills();
  if (plan_.scheduler.async_depth > 1) {
    Reckon(&current_, boundary_);
    Form(now, &next_);
  }
}

IterationShape ReferenceWorker::ShapeOf(std::vector<PrefillChunk>* chunks,
                                        std::vector<WindowContext>* windows) const {
  IterationShape shape;
  AddWindows(windows);
  for (const Step& step : current_.steps) {
    if (step.decode) {
      ++shape.decode_count;
      shape.decode_context += step.history + 1;
      continue;
    }
    chunks->push_back({static_cast<int32_t>(step.tokens), static_cast<int32_t>(step.history)});
    shape.prefill_tokens += step.tokens;
    if (step.history + step.tokens == step.request->target) ++shape.sampled_count;
  }
  shape.prefill = *chunks;
  if (shape.decode_count > 0) shape.windows = *windows;
  shape.padding_count = static_cast<int32_t>(current_.padding);
  shape.sampled_count += shape.decode_count + shape.padding_count;
  return shape;
}

// What the decodes attend to through every window that the compute model asks for.
void ReferenceWorker::AddWindows(std::vector<WindowContext>* windows) const {
  for (const AttentionWindow& window : plan_.compute->Windows()) {
    WindowContext context{window};
    for (const Step& step : current_.steps) {
      if (step.decode) context.context += Attended(window, step.history);
    }
    windows->push_back(context);
  }
}

int64_t ReferenceWorker::BatchTokens() const {
  int64_t tokens = current_.padding;
  for (const Step& step : current_.steps) tokens += step.tokens;
  return current_.steps.empty() ? 1 : tokens;
}

double ReferenceWorker::BatchSeconds(int64_t gathered) const {
  if (current_.steps.empty()) {
    return plan_.compute->IterationSeconds(
        {.decode_count = 1, .decode_context = 1, .sampled_count = 1, .gathered_tokens = gathered});
  }
  std::vector<PrefillChunk> chunks;
  std::vector<WindowContext> windows;
  IterationShape shape = ShapeOf(&chunks, &windows);
  shape.gathered_tokens = gathered;
  double seconds = plan_.compute->IterationSeconds(shape);
  if (!warm_) seconds += plan_.warm_up_seconds;
  if (current_.swapped_blocks > 0) {
    const double bytes =
        static_cast<double>(current_.swapped_blocks) * static_cast<double>(BlockBytes(plan_));
    const LinkConfig& link = plan_.host_link;
    seconds += link.latency_seconds;
    if (link.bandwidth_bytes_per_second > 0) seconds += bytes / link.bandwidth_bytes_per_second;
  }
  return seconds;
}

// Prompts that end in the iteration that starts, and go on elsewhere: their layers may leave.
void ReferenceWorker::AnnouncePrefills() {
  if (plan_.role != Role::kPrefill || plan_.drops_cache) return;
  for (const Step& step : current_.steps) {
    ReferenceRequest* request = step.request;
    if (step.decode || step.history + step.tokens < request->target) continue;
    if (request->generated() + 1 == request->record.output_tokens) continue;
    messages_.push_back({.kind = ReferenceMessage::Kind::kPrefillStarts,
                         .request = request,
                         .tokens = request->target});
  }
}

// ---- Failures

bool ReferenceWorker::Fail() {
  failing_ = true;
  return !iterating_;
}

std::vector<ReferenceRequest*> ReferenceWorker::Evacuate() {
  EXPECT_TRUE(leaving_.empty());
  std::vector<ReferenceRequest*> requests;
  for (auto* queue : {&running_, &ready_, &loading_, &loaded_}) {
    requests.insert(requests.end(), queue->begin(), queue->end());
    queue->clear();
  }
  while (!waiting_.empty()) requests.push_back(waiting_.Pop());
  for (ReferenceRequest* request : requests) {
    request->held = {};
    request->offered = 0;
    request->computed = 0;
    request->target = request->to_compute();
    request->at = -1;
    if (request->home == CacheHome::kHost) request->home = CacheHome::kNowhere;
  }
  blocks_ = ReferenceBlocks(plan_.kv_blocks, plan_.reuses_unfindable_first);
  padding_.clear();
  outgoing_ = host_used_ = swaps_left_ = 0;
  failing_ = warm_ = waits_ = false;
  if (idle_) boundary_ = kNever;
  current_ = {};
  next_ = {};
  return requests;
}

void ReferenceWorker::Complete(SimTime now, std::vector<ReferenceIteration>* log) {
  const ReferenceIteration& figures = current_.figures;
  log->push_back(figures);
  ++stats_.iterations;
  stats_.prefill_tokens += figures.prefill_tokens;
  stats_.decode_tokens += figures.decode_tokens;
  for (const auto& [request, tokens] : current_.fetches) {
    messages_.push_back(
        {.kind = ReferenceMessage::Kind::kFetched, .request = request, .tokens = tokens});
  }
  if (plan_.scheduler.async_depth == 1) Reckon(&current_, now);
  for (ReferenceRequest* request : current_.last_decodes) Finish(request, now);
  for (ReferenceRequest* request : current_.first_tokens) {
    request->record.prefill_worker = index_;
    ++stats_.prefilled;
  }
  for (ReferenceRequest* request : current_.last_prefills) Finish(request, now);
  for (ReferenceRequest* request : current_.handed_on) {
    std::erase(leaving_, request);
    request->at = -1;
    if (plan_.drops_cache) {
      ReferenceHoldings dropped = TakeOutgoing(request);
      blocks_.GiveBack(&dropped);
    } else {
      ++outgoing_;
    }
    messages_.push_back({ReferenceMessage::Kind::kPrefilled, request});
  }
  current_ = {};
}

// What comes out of a batch that ends at `end`: tokens, and who leaves with it.
void ReferenceWorker::Reckon(Batch* batch, SimTime end) {
  ReckonDecodes(batch, end);
  for (const Step& step : batch->steps) {
    if (step.decode) continue;
    ReferenceRequest* request = step.request;
    AddComputed(request, step.tokens);
    if (request->computed < request->target) continue;
    if (request->tokens.empty()) {
      request->record.first_token = end;
      batch->first_tokens.push_back(request);
    }
    request->tokens.push_back(end);
    if (!request->complete() && plan_.role != Role::kPrefill) {
      request->decodes_since = decode_joins_++;
      continue;
    }
    std::erase(running_, request);
    leaving_.push_back(request);
    (request->complete() ? batch->last_prefills : batch->handed_on).push_back(request);
  }
}

// What windows leave behind goes in the order in which the decodes began, behind what nobody can
// find. Of those that end together the last to have begun goes first.
void ReferenceWorker::ReckonDecodes(Batch* batch, SimTime end) {
  std::map<int64_t, std::vector<BlockName>> left;  // by decodes_since
  for (const Step& step : batch->steps) {
    if (!step.decode) continue;
    ++step.request->computed;
    left[step.request->decodes_since] = GiveUpNameless(step.request);
  }
  for (const auto& [since, names] : left) blocks_.GiveBackNames(names);
  for (const Step& step : batch->steps) {
    if (!step.decode) continue;
    step.request->tokens.push_back(end);
    waiting_.Charge(step.request->input.client_class, 2);
    if (!step.request->complete()) continue;
    std::erase(running_, step.request);
    leaving_.push_back(step.request);
    batch->last_decodes.push_back(step.request);
  }
  std::sort(batch->last_decodes.begin(), batch->last_decodes.end(),
            [](const auto* a, const auto* b) { return a->decodes_since > b->decodes_since; });
}

void ReferenceWorker::Finish(ReferenceRequest* request, SimTime now) {
  RequestRecord& record = request->record;
  record.finish = now;
  for (size_t i = 1; i < request->tokens.size(); ++i) {
    record.max_itl = std::max(record.max_itl, request->tokens[i] - request->tokens[i - 1]);
  }
  ++stats_.finished;
  std::erase(leaving_, request);
  request->at = -1;
  OfferBlocks(request, request->computed);
  if (plan_.scheduler.policy->name() == "static") {
    padding_.push_back(std::move(request->held));
    request->held = {};
  } else {
    blocks_.GiveBack(&request->held);
  }
  messages_.push_back({ReferenceMessage::Kind::kEnded, request});
}

// ---- Forming a batch

void ReferenceWorker::Form(SimTime now, Batch* batch) {
  *batch = {};
  forming_ = batch;
  now_ = now;
  waits_ = false;
  const int64_t preempted_before = stats_.preemptions;
  const size_t loading_before = loading_.size();
  batch->swapped_blocks = std::exchange(swaps_left_, 0);
  if (find_target_) MigrateUnderPressure();
  const std::string& policy = plan_.scheduler.policy->name();
  if (policy == "chunked") FormChunked();
  if (policy == "orca") FormOrca();
  if (policy == "static") FormStatic();
  if (policy == "vllm_v0") FormVllmV0();
  for (ReferenceRequest* request : running_) {
    if (request->record.scheduled == kUnset) request->record.scheduled = now;
    request->EndDecodeWait(now);
  }
  batch->changed = stats_.preemptions > preempted_before || loading_.size() > loading_before;
  if (batch->steps.empty()) swaps_left_ = batch->swapped_blocks;  // lengthen the next iteration
  batch->figures.running = static_cast<int32_t>(running_.size());
  batch->figures.waiting = static_cast<int32_t>(waiting());
}

// With less room than two iterations need the last decode leaves, if it has where to go.
void ReferenceWorker::MigrateUnderPressure() {
  if (running_.size() < 2 || outgoing_ > 0 || !loading_.empty() || !ready_.empty()) return;
  if (blocks_.free() >= 2 * decodes()) return;
  ReferenceRequest* request = running_.back();
  const int32_t target = request->decodes() ? find_target_(index_, *request) : -1;
  if (target < 0) return;
  running_.pop_back();
  ++outgoing_;
  messages_.push_back(
      {.kind = ReferenceMessage::Kind::kMigrates, .request = request, .target = target});
}

// ---- Figures

int64_t ReferenceWorker::decodes() const {
  return std::count_if(running_.begin(), running_.end(),
                       [](const ReferenceRequest* r) { return r->decodes(); });
}

int64_t ReferenceWorker::slots() const {
  if (plan_.scheduler.loading_takes_slot) return holders();
  return static_cast<int64_t>(running_.size() + leaving_.size());
}

int64_t ReferenceWorker::holders() const {
  return static_cast<int64_t>(running_.size() + leaving_.size() + loading_.size() + ready_.size());
}

bool ReferenceWorker::idle() const { return !iterating_ && holders() + waiting() + outgoing_ == 0; }

int64_t ReferenceWorker::waiting() const {
  return waiting_.size() + static_cast<int64_t>(loaded_.size() + ready_.size());
}

int64_t ReferenceWorker::pending_tokens() const {
  int64_t tokens = 0;
  for (const ReferenceRequest* request : waiting_.requests()) {
    if (!request->resumes()) tokens += request->to_compute();
  }
  for (const ReferenceRequest* request : loaded_) {
    tokens += request->to_compute() - request->computed;
  }
  for (const ReferenceRequest* request : running_) {
    if (!request->decodes()) tokens += request->target - request->computed;
  }
  return tokens;
}

}  // namespace tokensim
