// The requests of one worker that were admitted, in order of admission.
//
// Each holds KV blocks and takes a place of max_num_seqs. Those whose prompt is in the cache decode
// (DecodeSet); at most one has a prompt of which a part is computed. A request that got its last
// token here leaves: it is in the set no longer, but keeps its place until its iteration has ended.
//
//   RunningSet running(slab, {.block_size = 16}, victim_policy, &queues);
//   running.Append(request, prompt_tokens);
//   if (running.AddComputed(request, prompt_tokens)) running.Join(request);
//   running.Advance();                                  // one token for everybody who decodes
//   running.Leave(request);
//   running.BeginLeaving(request);
//   running.EndLeaving();
//
// While a request decodes, LiveRequest::computed and ::generated are what they were when it joined:
// only ProgressOf knows what they are now.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/worker/admission_order.h"
#include "engine/worker/decode_set.h"
#include "engine/worker/live_request.h"
#include "engine/worker/queues.h"
#include "engine/worker/victim.h"

namespace tokensim {

struct RunningSetConfig {
  int32_t block_size = 16;
  const BlockLayout* layout = nullptr;   // null: none but blocks of block_size
  std::vector<AttentionWindow> windows;  // that the compute model asks for
  bool tracks_longest = false;           // DecodeSet::longest is asked for
  int32_t classes = 1;                   // of clients
};

// How far a request is.
struct TokenProgress {
  int32_t computed = 0;   // tokens in the KV cache
  int32_t generated = 0;  // tokens
};

class RunningSet {
 public:
  // `charged` are the queues that charge client classes for the tokens that they get here.
  RunningSet(RequestSlab& slab, const RunningSetConfig& config, const VictimFactory& victim,
             Queues* charged);

  [[nodiscard]] int32_t count() const { return count_; }
  [[nodiscard]] int32_t leaving() const { return leaving_; }
  // Places of max_num_seqs that it takes.
  [[nodiscard]] int32_t places() const { return count_ + leaving_; }
  [[nodiscard]] DecodeSet& decodes() { return decodes_; }
  [[nodiscard]] const DecodeSet& decodes() const { return decodes_; }
  // Tokens of prompts here that are not computed yet.
  [[nodiscard]] int64_t pending_tokens() const { return pending_tokens_; }
  // The first whose prompt is not complete; else kNoRequest.
  [[nodiscard]] RequestHandle unfinished() const { return unfinished_; }
  void set_unfinished(RequestHandle handle) { unfinished_ = handle; }
  // The one admitted last, if it decodes; else kNoRequest.
  [[nodiscard]] RequestHandle TailDecode() const {
    const RequestHandle tail = order_.back();
    return tail != kNoRequest && slab_[tail].decoding ? tail : kNoRequest;
  }
  [[nodiscard]] TokenProgress ProgressOf(const LiveRequest& r) const {
    if (!r.decoding) return {r.computed, r.generated};
    return {decodes_.Computed(r), decodes_.Generated(r)};
  }
  // The first iteration that somebody here takes or took part in as a decode.
  [[nodiscard]] int64_t OldestDecodeStart() const;
  // Who goes when blocks are missing; kNoRequest: nobody is here.
  [[nodiscard]] RequestHandle Victim() const;
  // In order of admission.
  void AppendTo(std::vector<RequestHandle>* requests) const;

  // A request is admitted, with that many tokens of its prompt to compute.
  void Append(RequestHandle handle, int32_t pending);
  // Tokens of its prompt are computed. True: the prompt is complete.
  bool AddComputed(RequestHandle handle, int32_t tokens);
  // It decodes from the next iteration on.
  void Join(RequestHandle handle);
  // It decodes no longer; its `computed` and `generated` are up to date.
  void Leave(RequestHandle handle);
  // It goes before its prompt is complete.
  void StopPrefill(RequestHandle handle);
  // It is here no longer. It does not decode.
  void Remove(RequestHandle handle);
  // The same, but it keeps its place until EndLeaving.
  void BeginLeaving(RequestHandle handle) {
    Remove(handle);
    ++leaving_;
  }
  void EndLeaving() { --leaving_; }
  // An iteration with decodes has ended. The blocks that windows give up.
  int64_t Advance() { return decodes_.Advance(); }
  // The client classes are charged for all tokens up to now.
  void ChargeClasses() {
    for (size_t i = 0; i < classes_.size(); ++i) ChargeClass(static_cast<int32_t>(i));
  }
  // Nobody is here any more. Nobody decodes.
  void Clear();

 private:
  // The decodes of a client class, and the iteration up to which it is charged for them.
  struct ClassDecodes {
    int32_t count = 0;
    int64_t charged = 0;
  };

  void ChargeClass(int32_t client_class);
  [[nodiscard]] RunningRequest ViewOf(const LiveRequest& r) const;

  RequestSlab& slab_;
  const std::unique_ptr<VictimPolicy> victim_;
  const bool victim_looks_at_all_;
  Queues* const charged_;
  DecodeSet decodes_;
  AdmissionOrder order_;
  RequestHandle unfinished_ = kNoRequest;
  int32_t count_ = 0;
  int32_t leaving_ = 0;
  int64_t pending_tokens_ = 0;
  std::vector<ClassDecodes> classes_;  // empty unless the queue is fair
};

inline void RunningSet::Append(RequestHandle handle, int32_t pending) {
  slab_[handle].ran_here = true;
  order_.Append(handle);
  ++count_;
  pending_tokens_ += pending;
}

inline void RunningSet::Remove(RequestHandle handle) {
  order_.Remove(handle);
  --count_;
}

inline bool RunningSet::AddComputed(RequestHandle handle, int32_t tokens) {
  LiveRequest& r = slab_[handle];
  r.computed += tokens;
  pending_tokens_ -= tokens;
  const bool complete = r.computed == r.prefill_target();
  if (complete && handle == unfinished_) unfinished_ = kNoRequest;
  return complete;
}

inline void RunningSet::Join(RequestHandle handle) {
  if (!classes_.empty()) {
    const int32_t client_class = slab_[handle].client_class;
    ChargeClass(client_class);
    ++classes_[static_cast<size_t>(client_class)].count;
  }
  decodes_.Join(handle);
}

inline void RunningSet::Leave(RequestHandle handle) {
  if (!classes_.empty()) {
    const int32_t client_class = slab_[handle].client_class;
    ChargeClass(client_class);
    --classes_[static_cast<size_t>(client_class)].count;
  }
  decodes_.Leave(handle);
}

}  // namespace tokensim
