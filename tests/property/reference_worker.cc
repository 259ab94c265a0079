#include "tests/property/reference_worker.h"

#include <algorithm>
#include <utility>

#include "engine/worker/local_scheduler.h"

namespace tokensim {

ReferenceWorker::ReferenceWorker(const WorkerPlan& plan, int32_t index, FindTarget find_target)
    : plan_(plan),
      index_(index),
      find_target_(std::move(find_target)),
      blocks_(plan.kv_blocks),
      waiting_(plan.scheduler) {}

RejectReason ReferenceWorker::CheckFits(int64_t prompt, int64_t total) const {
  if (total > plan_.max_model_len) return RejectReason::kMaxModelLen;
  // The last token is not stored, and a prefill worker hands on after the first.
  const int64_t most = plan_.role == Role::kPrefill ? prompt : total - 1;
  return BlocksOf(most) > plan_.kv_blocks ? RejectReason::kKvCapacity : RejectReason::kNone;
}

void ReferenceWorker::Enqueue(ReferenceRequest* request, SimTime now) {
  request->at = request->record.worker = index_;
  if (request->record.queued == kUnset) request->record.queued = iterating_ ? boundary_ : now;
  waiting_.Arrive(request);
  Wake(now);
}

void ReferenceWorker::Wake(SimTime now) {
  if (!idle_) return;
  idle_ = false;
  boundary_ = now;
}

// ---- Iterations

std::vector<ReferenceMessage> ReferenceWorker::Boundary(SimTime now,
                                                        std::vector<ReferenceIteration>* log) {
  messages_.clear();
  const bool ahead = plan_.scheduler.async_depth > 1;
  if (iterating_) Complete(now, log);
  if (ahead && !next_.steps.empty()) {
    current_ = std::move(next_);
    next_ = {};
  } else {
    do {
      Form(now, &current_);
    } while (current_.steps.empty() && current_.changed);
  }
  iterating_ = !current_.steps.empty();
  if (!iterating_) {
    idle_ = true;
    boundary_ = kNever;
    return messages_;
  }
  Start(now);
  if (ahead) {
    Reckon(&current_, boundary_);
    Form(now, &next_);
  }
  return messages_;
}

void ReferenceWorker::Start(SimTime now) {
  IterationShape shape;
  std::vector<PrefillChunk> chunks;
  for (const Step& step : current_.steps) {
    if (step.decode) {
      ++shape.decode_count;
      shape.decode_context += step.history + 1;
      continue;
    }
    chunks.push_back({static_cast<int32_t>(step.tokens), static_cast<int32_t>(step.history)});
    shape.prefill_tokens += step.tokens;
    if (step.history + step.tokens == step.request->target) ++shape.sampled_count;
  }
  shape.prefill = chunks;
  shape.padding_count = static_cast<int32_t>(current_.padding);
  shape.sampled_count += shape.decode_count + shape.padding_count;
  double seconds = plan_.compute->IterationSeconds(shape);
  if (current_.swapped_blocks > 0) {
    const double bytes = static_cast<double>(current_.swapped_blocks) * plan_.block_size *
                         static_cast<double>(plan_.kv_bytes_per_token);
    const LinkConfig& link = plan_.host_link;
    seconds += link.latency_seconds;
    if (link.bandwidth_bytes_per_second > 0) seconds += bytes / link.bandwidth_bytes_per_second;
  }
  const SimTime duration = std::max<SimTime>(1, FromSeconds(seconds));
  begin_ = now;
  boundary_ = now + duration;
  ReferenceIteration& figures = current_.figures;
  figures.worker = index_;
  figures.index = stats_.iterations;
  figures.end = boundary_;
  figures.duration = duration;
  figures.prefill_tokens = shape.prefill_tokens;
  figures.prefill_chunks = static_cast<int32_t>(chunks.size());
  figures.decode_tokens = shape.decode_count;
  figures.kv_blocks_used = blocks_.used();
  stats_.max_kv_blocks_used = std::max(stats_.max_kv_blocks_used, blocks_.used());
}

void ReferenceWorker::Complete(SimTime now, std::vector<ReferenceIteration>* log) {
  const ReferenceIteration& figures = current_.figures;
  log->push_back(figures);
  ++stats_.iterations;
  stats_.prefill_tokens += figures.prefill_tokens;
  stats_.decode_tokens += figures.decode_tokens;
  stats_.busy += figures.duration;
  stats_.running_integral += figures.running * ToSeconds(figures.duration);
  stats_.kv_blocks_integral +=
      static_cast<double>(figures.kv_blocks_used) * ToSeconds(figures.duration);
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
  for (const ReferenceMessage& message : current_.migrating) messages_.push_back(message);
  current_ = {};
}

// What comes out of a batch that ends at `end`: tokens, and who leaves with it.
void ReferenceWorker::Reckon(Batch* batch, SimTime end) {
  ReckonDecodes(batch, end);
  for (const Step& step : batch->steps) {
    if (step.decode) continue;
    ReferenceRequest* request = step.request;
    request->computed += step.tokens;
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

// Of those that end together the last to have begun goes first.
void ReferenceWorker::ReckonDecodes(Batch* batch, SimTime end) {
  for (const Step& step : batch->steps) {
    if (!step.decode) continue;
    ++step.request->computed;
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
  const int64_t preempted_before = stats_.preemptions;
  const size_t loading_before = loading_.size();
  batch->swapped_blocks = std::exchange(swaps_left_, 0);
  if (find_target_) MigrateUnderPressure(/*ahead=*/batch == &next_);
  const std::string& policy = plan_.scheduler.policy->name();
  if (policy == "chunked") FormChunked();
  if (policy == "orca") FormOrca();
  if (policy == "static") FormStatic();
  if (policy == "vllm_v0") FormVllmV0();
  for (ReferenceRequest* request : running_) {
    if (request->record.scheduled == kUnset) request->record.scheduled = now;
  }
  batch->changed = stats_.preemptions > preempted_before || loading_.size() > loading_before;
  if (batch->steps.empty()) swaps_left_ = batch->swapped_blocks;  // lengthen the next iteration
  batch->figures.running = static_cast<int32_t>(running_.size() + padding_.size());
  batch->figures.waiting = static_cast<int32_t>(waiting());
  stats_.max_running = std::max(stats_.max_running, batch->figures.running);
}

// With less room than two iterations need the last decode leaves, if it has where to go: with the
// tokens it has when no iteration is under way.
void ReferenceWorker::MigrateUnderPressure(bool ahead) {
  if (running_.size() < 2 || outgoing_ > 0 || !loading_.empty() || !ready_.empty()) return;
  if (blocks_.free() >= 2 * decodes()) return;
  ReferenceRequest* request = running_.back();
  const int32_t target = request->decodes() ? find_target_(index_, *request) : -1;
  if (target < 0) return;
  running_.pop_back();
  ++outgoing_;
  (ahead ? current_.migrating : messages_)
      .push_back({.kind = ReferenceMessage::Kind::kMigrates, .request = request, .target = target});
}

void ReferenceWorker::Grow(ReferenceRequest* request, int64_t tokens) {
  blocks_.Take(BlocksOf(request->computed + tokens) - request->held.blocks(), &request->held);
}

// The next tokens of a prompt are in the batch.
void ReferenceWorker::Compute(ReferenceRequest* request, int64_t tokens) {
  forming_->steps.push_back({request, tokens, request->computed, false});
  OfferBlocks(request, request->computed + tokens);
}

bool ReferenceWorker::Admit(int64_t tokens, int64_t cached, int64_t reserved) {
  ReferenceRequest* request = Front();
  std::vector<BlockName> hits;
  if (request->computed == 0) {
    for (int64_t i = 0; i < cached / plan_.block_size; ++i) hits.push_back(NameOf(*request, i));
  }
  const int64_t held_by_others =
      std::count_if(hits.begin(), hits.end(), [this](const auto& b) { return blocks_.Held(b); });
  const bool is_new = request->record.scheduled == kUnset;
  const int64_t blocks = BlocksOf(reserved) - request->held.blocks() - held_by_others;
  const bool loaded = !loaded_.empty();
  if (loaded ? blocks > blocks_.free() : !HasRoom(blocks, is_new)) return false;
  if (loaded) {
    loaded_.erase(loaded_.begin());
  } else {
    waiting_.Pop();
  }
  running_.push_back(request);
  for (const BlockName& hit : hits) blocks_.Hit(hit, &request->held);
  request->offered = static_cast<int64_t>(hits.size());
  request->computed = cached;
  request->target = request->to_compute();
  if (is_new) {
    request->record.cached_tokens =
        static_cast<int32_t>(std::min<int64_t>(cached, request->record.input_tokens));
  }
  waiting_.Charge(request->input.client_class, request->target - cached);
  Grow(request, tokens);
  Compute(request, tokens);
  return true;
}

// The front's KV cache is elsewhere: it comes back before the iteration, or begins to be loaded.
bool ReferenceWorker::AdmitStored() {
  ReferenceRequest* request = waiting_.front();
  const int64_t tokens = request->resumes() ? request->stored + 1 : request->to_compute();
  if (!HasRoom(BlocksOf(tokens), request->record.scheduled == kUnset)) return false;
  waiting_.Pop();
  blocks_.Take(BlocksOf(request->stored), &request->held);
  if (request->home != CacheHome::kHost || plan_.overlap_swap) {
    loading_.push_back(request);
    messages_.push_back({ReferenceMessage::Kind::kLoad, request});
    return true;
  }
  request->home = CacheHome::kNowhere;
  request->computed = request->stored;
  host_used_ -= request->held.blocks();
  stats_.swapped_in_blocks += request->held.blocks();
  forming_->swapped_blocks += request->held.blocks();
  Resume(request);
  Grow(request, 1);
  forming_->steps.push_back({request, 1, request->computed, true});
  return true;
}

void ReferenceWorker::FinishLoad(ReferenceRequest* request) {
  if (request->home == CacheHome::kHost) {
    host_used_ -= request->held.blocks();
    stats_.swapped_in_blocks += request->held.blocks();
  }
  const bool resumes = request->resumes();
  request->home = CacheHome::kNowhere;
  request->computed = request->stored;
  std::erase(loading_, request);
  (resumes ? ready_ : loaded_).push_back(request);
}

ReferenceHoldings ReferenceWorker::TakeOutgoing(ReferenceRequest* request) {
  OfferBlocks(request, request->computed);
  request->offered = 0;
  request->computed = 0;
  request->target = request->to_compute();
  return std::exchange(request->held, {});
}

void ReferenceWorker::FreeOutgoing(ReferenceHoldings* holdings) {
  --outgoing_;
  blocks_.GiveBack(holdings);
}

// ---- Blocks and figures

bool ReferenceWorker::HasRoom(int64_t blocks, bool is_new) const {
  // What was promised to those whose prompts are partly loaded is theirs.
  int64_t free = blocks_.free();
  for (const auto* partly : {&loading_, &loaded_}) {
    for (const ReferenceRequest* request : *partly) {
      if (request->home == CacheHome::kPool || partly == &loaded_) {
        free -= BlocksOf(request->to_compute()) - request->held.blocks();
      }
    }
  }
  if (blocks > free) return false;
  if (slots() == 0) return true;  // else it might wait forever
  const auto share = [this](double part) {
    return static_cast<int64_t>(part * static_cast<double>(plan_.kv_blocks));
  };
  if (blocks_.free() - blocks < share(plan_.scheduler.watermark)) return false;
  return !is_new || blocks_.used() + blocks <= share(plan_.scheduler.max_memory_ratio);
}

// Full blocks among the first `tokens` may be found by others.
void ReferenceWorker::OfferBlocks(ReferenceRequest* request, int64_t tokens) {
  if (!plan_.prefix_caching) return;
  for (; request->offered < tokens / plan_.block_size; ++request->offered) {
    blocks_.Name(NameOf(*request, request->offered), &request->held);
  }
}

int64_t ReferenceWorker::HitTokens(const ReferenceRequest& request) const {
  if (!plan_.prefix_caching) return 0;
  // The last token is computed in any case.
  int64_t block = 0;
  while ((block + 1) * plan_.block_size < request.to_compute() &&
         blocks_.Findable(NameOf(request, block))) {
    ++block;
  }
  return block * plan_.block_size;
}

// Tokens of the front's prompt that need not be computed: they were loaded, or others have them.
int64_t ReferenceWorker::Cached(const ReferenceRequest& request) const {
  return request.computed > 0 ? request.computed : HitTokens(request);
}

// engine/memory/block_hash.h. Of the output, only a conversation's is known.
BlockName ReferenceWorker::NameOf(const ReferenceRequest& request, int64_t block) const {
  using Source = BlockName::Source;
  const RequestInput& input = request.input;
  const PromptContent& content = input.content;
  const int64_t end = (block + 1) * plan_.block_size;
  if (input.conversation < 0 && end > input.input_tokens) return {};
  if (content.hash_block_tokens > 0) {
    const auto index = static_cast<size_t>((end - 1) / content.hash_block_tokens);
    if (index < content.hash_ids.size()) return {Source::kTrace, content.hash_ids[index], block};
  }
  if (end <= content.prefix_tokens) {
    return {Source::kPrefixGroup, static_cast<int64_t>(content.prefix_group), block};
  }
  if (input.conversation >= 0) return {Source::kConversation, input.conversation, block};
  return {};
}

int64_t ReferenceWorker::Needs(const ReferenceRequest& request) const {
  return BlocksOf(request.computed + 1) - request.held.blocks();
}

int64_t ReferenceWorker::decodes() const {
  return std::count_if(running_.begin(), running_.end(),
                       [](const ReferenceRequest* r) { return r->decodes(); });
}

int64_t ReferenceWorker::slots() const {
  return static_cast<int64_t>(running_.size() + leaving_.size() + loading_.size() + ready_.size());
}

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
