// One worker of the reference simulator: see reference_simulation.h.
//
// Every request of the running set is walked in every iteration; batches are lists of who computes
// how many tokens. What leaves the worker is told in messages.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "engine/run/plan.h"
#include "engine/run/results.h"
#include "tests/property/reference_blocks.h"
#include "tests/property/reference_layout.h"
#include "tests/property/reference_request.h"
#include "tests/property/reference_simulation.h"

namespace tokensim {

struct ReferenceMessage {
  enum class Kind : uint8_t {
    kEnded,
    kPrefilled,
    kPrefillStarts,  // the iteration that completes its prompt
    kMigrates,
    kLoad,
    kFetched,
    kSwapOut,
    kFailed,
  };
  Kind kind = Kind::kEnded;
  ReferenceRequest* request = nullptr;
  int64_t blocks = 0;   // kSwapOut
  int64_t tokens = 0;   // kPrefillStarts: of the prompt; kFetched
  int32_t target = -1;  // kMigrates
};

// Where a request of a worker that runs out of blocks may go; -1: nowhere.
using FindTarget = std::function<int32_t(int32_t worker, const ReferenceRequest& request)>;

// When the memory pool has brought so many tokens to the worker.
using FetchFromPool = std::function<SimTime(int32_t worker, int64_t tokens, SimTime now)>;

class ReferenceWorker {
 public:
  // `find_target`: null when nobody migrates. `fetch`: null unless iterations wait for the pool.
  // `layerwise`: kPrefillStarts is wanted.
  ReferenceWorker(const WorkerPlan& plan, int32_t index, FindTarget find_target,
                  FetchFromPool fetch, bool layerwise);

  [[nodiscard]] RejectReason CheckFits(int64_t prompt, int64_t total) const;
  void Enqueue(ReferenceRequest* request, SimTime now);
  // Something changed: a worker without an iteration looks at its queue at `now`.
  void Wake(SimTime now);
  // Counts what it has for so long.
  void Account(SimTime duration);
  // Ends the current iteration, if any, and forms the next.
  std::vector<ReferenceMessage> Boundary(SimTime now, std::vector<ReferenceIteration>* log);
  // The same in three steps, for ranks in lock-step: Prepare says whether there is a batch, which
  // Launch starts. Without one a rank computes a token along with the others.
  bool Prepare(SimTime now, std::vector<ReferenceIteration>* log);
  [[nodiscard]] int64_t BatchTokens() const;
  // `gathered`: tokens of all ranks.
  [[nodiscard]] double BatchSeconds(int64_t gathered) const;
  // When the memory pool has brought what the batch needs; now, if that is nothing.
  SimTime Fetch(SimTime now);
  // The batch is computed when that is there.
  void Launch(SimTime now, SimTime fetched, double seconds);
  void StandBy(SimTime end) { stand_by_ = end; }
  // Its scheduler waits for more requests.
  [[nodiscard]] bool waits() const { return waits_; }
  // It forms its next batch of what it has; while draining, every batch.
  void Hurry(SimTime now);
  void SetDraining(bool draining) { draining_ = draining; }
  std::vector<ReferenceMessage> TakeMessages() { return std::exchange(messages_, {}); }
  // Stops when the iteration under way has ended, with a message; true: at once, without one.
  [[nodiscard]] bool Fail();
  // Every request of a worker that stopped, without its blocks.
  std::vector<ReferenceRequest*> Evacuate();
  // The KV cache that the request was to load is here.
  void FinishLoad(ReferenceRequest* request);
  // ... is lost.
  void CancelLoad(ReferenceRequest* request);
  // Keeps blocks for the KV cache of a prompt that is still computed elsewhere. False: no room.
  bool ReserveLoad(ReferenceRequest* request, int64_t tokens);
  // The KV cache of a request that left has arrived elsewhere.
  void FreeOutgoing(ReferenceHoldings* holdings);
  ReferenceHoldings TakeOutgoing(ReferenceRequest* request);

  [[nodiscard]] SimTime boundary() const { return boundary_; }
  [[nodiscard]] bool iterating() const { return iterating_; }
  // When the iteration that runs had fetched what it needs and began to compute.
  [[nodiscard]] SimTime compute_begin() const { return compute_begin_; }
  [[nodiscard]] bool idle() const;
  [[nodiscard]] const WorkerPlan& plan() const { return plan_; }
  [[nodiscard]] const WorkerStats& stats() const { return stats_; }
  [[nodiscard]] const ReferenceBlocks& blocks() const { return blocks_; }
  [[nodiscard]] int64_t BlocksOf(int64_t tokens) const {
    return BlocksInStep(plan_, tokens, tokens);
  }
  // The most tokens of one request.
  [[nodiscard]] int64_t most_tokens() const { return most_tokens_; }
  // For the policies of the cluster.
  [[nodiscard]] int64_t waiting() const;
  [[nodiscard]] int64_t pending_tokens() const;
  [[nodiscard]] int64_t decodes() const;
  // Who takes a place of max_num_seqs; who runs or loads.
  [[nodiscard]] int64_t slots() const;
  [[nodiscard]] int64_t holders() const;
  [[nodiscard]] bool has_waiting() const { return !loaded_.empty() || !waiting_.empty(); }
  [[nodiscard]] int64_t HitTokens(const ReferenceRequest& request) const;

 private:
  struct Step {
    ReferenceRequest* request = nullptr;
    int64_t tokens = 0;
    int64_t history = 0;
    bool decode = false;
  };
  struct Batch {
    std::vector<Step> steps;
    int64_t padding = 0;
    int64_t swapped_blocks = 0;
    std::vector<std::pair<ReferenceRequest*, int64_t>> fetches;  // tokens from the memory pool
    bool changed = false;  // somebody was preempted or began to load when it was formed
    ReferenceIteration figures;
    std::vector<ReferenceRequest*> first_tokens;
    std::vector<ReferenceRequest*> last_decodes;
    std::vector<ReferenceRequest*> last_prefills;
    std::vector<ReferenceRequest*> handed_on;
  };
  [[nodiscard]] ReferenceRequest* Front() const {
    return loaded_.empty() ? waiting_.front() : loaded_.front();
  }
  // Whether a prompt of `tokens` may join those of the batch.
  [[nodiscard]] bool Within(int64_t batched, int64_t tokens) const {
    const int64_t limit = plan_.scheduler.max_num_batched_tokens;
    return limit == 0 || batched == 0 || batched + tokens <= limit;
  }

  void Complete(SimTime now, std::vector<ReferenceIteration>* log);
  void Reckon(Batch* batch, SimTime end);
  void ReckonDecodes(Batch* batch, SimTime end);
  void Finish(ReferenceRequest* request, SimTime now);
  void Form(SimTime now, Batch* batch);
  [[nodiscard]] IterationShape ShapeOf(std::vector<PrefillChunk>* chunks,
                                       std::vector<WindowContext>* windows) const;
  void AddWindows(std::vector<WindowContext>* windows) const;
  void AnnouncePrefills();

  void MigrateUnderPressure();
  void FormChunked();
  void FormOrca();
  void FormStatic();
  [[nodiscard]] bool IsIncomplete();
  [[nodiscard]] bool IsFull() const;
  [[nodiscard]] SimTime TimeOut() const;
  void FormVllmV0();
  bool AdmitWholePrompts(bool stop_at_swapped);
  void AdmitReady();
  bool PreemptForDecodes();
  bool WalkDecodes();
  bool PreemptUntilDecodesFit();
  void ScheduleDecodes();
  [[nodiscard]] ReferenceRequest* Victim() const;
  void Preempt(ReferenceRequest* request);
  void Grow(ReferenceRequest* request, int64_t tokens);
  // Tokens of its KV cache were computed: it keeps what the next one needs.
  void AddComputed(ReferenceRequest* request, int64_t tokens);
  // The same in two steps: what nobody can find is given back, then those names.
  std::vector<BlockName> GiveUpNameless(ReferenceRequest* request);
  void Compute(ReferenceRequest* request, int64_t tokens);
  void OfferBlocks(ReferenceRequest* request, int64_t tokens);
  // Admission of the front of the queue; false: there is no room.
  bool Admit(int64_t tokens, int64_t cached, int64_t reserved);
  bool AdmitStored();
  // The front's KV cache is elsewhere, and comes before it is scheduled.
  [[nodiscard]] bool FrontIsStored() const {
    const CacheHome home = Front()->home;
    return home != CacheHome::kNowhere && !(fetch_ && home == CacheHome::kPool);
  }
  void Resume(ReferenceRequest* request);
  [[nodiscard]] bool HasRoom(int64_t blocks, bool is_new) const {
    return HasRoom(blocks, is_new, holders() == 0);
  }
  [[nodiscard]] bool HasRoom(int64_t blocks, bool is_new, bool alone) const;

  [[nodiscard]] BlockName NameOf(const ReferenceRequest& request, const ReferenceGroup& group,
                                 int64_t block) const;
  // The names of what is kept of its first tokens.
  [[nodiscard]] std::vector<BlockName> NamesOf(const ReferenceRequest& request,
                                               int64_t tokens) const;
  [[nodiscard]] std::vector<BlockName>* ListOf(const BlockName& name,
                                               ReferenceHoldings* holder) const;
  [[nodiscard]] int64_t Needs(const ReferenceRequest& request) const;
  [[nodiscard]] int64_t Cached(const ReferenceRequest& request) const;

  const WorkerPlan& plan_;
  const int32_t index_;
  const int64_t most_tokens_;
  const std::vector<ReferenceGroup> groups_;
  const FindTarget find_target_;
  const FetchFromPool fetch_;
  const bool layerwise_;
  ReferenceBlocks blocks_;
  ReferenceQueue waiting_;
  std::vector<ReferenceRequest*> running_;  // in order of admission
  std::vector<ReferenceRequest*> leaving_;  // their last iteration runs
  std::vector<ReferenceRequest*> loading_;  // hold blocks for a KV cache on its way
  std::vector<ReferenceRequest*> loaded_;   // the beginning of their prompt: before the queue
  std::vector<ReferenceRequest*> ready_;    // loaded, to decode
  std::vector<ReferenceHoldings> padding_;  // rows of a static batch that have finished
  int64_t outgoing_ = 0;                    // KV caches that leave
  int64_t host_used_ = 0;
  int64_t swaps_left_ = 0;  // blocks that moved to or from host memory when no iteration followed
  int64_t decode_joins_ = 0;
  std::vector<ReferenceMessage> messages_;

  Batch* forming_ = nullptr;
  Batch current_;
  Batch next_;
  bool iterating_ = false;
  bool failing_ = false;
  bool warm_ = false;
  bool idle_ = true;
  bool waits_ = false;        // idle, for more requests
  SimTime wake_up_ = kNever;  // until then
  bool hurried_ = false;
  bool draining_ = false;
  SimTime now_ = 0;  // when the batch is formed
  SimTime boundary_ = kNever;
  SimTime compute_begin_ = 0;
  SimTime stand_by_ = kUnset;  // end of the iteration of the other ranks
  WorkerStats stats_;
};

}  // namespace tokensim
