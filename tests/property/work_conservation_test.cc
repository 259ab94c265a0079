// WorkConservation: nobody waits for what is free.
//
// The front of a worker's queue is admissible when
//   slots   fewer than max_num_seqs requests run, load or are loaded;
//   blocks  its need is free, less what is promised to prompts whose beginning loads or is loaded.
//           Unless nothing runs or loads, `watermark` of all blocks stays free after it, and a
//           request that did not run here yet leaves at most `max_memory_ratio` of them in use. The
//           beginning of its own prompt having been loaded, only the first of these counts;
//   batch   there is room in the iteration, as its scheduler says (BatchHasRoom below).
// Its need: the blocks for its KV cache and one more token, if that cache is on another worker or
// in host memory; else those for the tokens it is admitted with, where prefix hits count as if they
// had to be allocated: they may be free.
// Requests behind the front do not overtake it: that is the schedulers' order, not idleness. A
// worker that failed or was stopped has no queue; a request whose KV cache is loading is not in it.
//
//   1. When all events of a moment are over, no worker without an iteration has an admissible
//   front,
//      or a request it could go on with.
//   2. When a batch was formed without a preemption, the front is not admissible any more. Of
//      chunked: the token budget is not left unused beside a front that fits.
//   3. When all events of a moment are over, no request waits for a worker while there is one.
//   4. A worker without an iteration beside an admissible front waits until its batch is full: it has
//      fewer requests than that, nobody has been there for the time-out, and it does not drain. Or
//      its batch is, and a KV cache of it is on its way.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/cluster/cluster.h"
#include "engine/policy/local/registry.h"
#include "tests/property/random_cluster.h"
#include "tests/property/run_engine.h"

namespace tokensim {
namespace {

// What the front of a queue asks for, and what there is.
struct Offer {
  int32_t target = 0;  // tokens of its prompt
  int32_t cached = 0;  // of them, loaded or found in the prefix cache
  int32_t stored = 0;  // tokens of the KV cache it resumes with; 0: it does not resume
  KvSource source = KvSource::kNone;
  bool is_new = false;
  int64_t loaded_blocks = 0;
  int64_t free = 0;
  int64_t promised = 0;
  int64_t total = 0;
  int32_t block_size = 1;
  int32_t slots = 0;

  [[nodiscard]] int64_t BlocksFor(int64_t tokens) const {
    return (tokens + block_size - 1) / block_size;
  }
};

Offer OfferOf(const WorkerState& state) {
  const LiveRequest& front = state.front();
  Offer offer{.target = front.prefill_target(),
              .source = front.kv_source,
              .is_new = !front.ran_here,
              .free = state.free_blocks(),
              .promised = state.promised_blocks(),
              .total = state.pool().total(),
              .block_size = state.pool().block_size(),
              .slots = state.slots_used()};
  if (front.resumes()) offer.stored = front.kv_tokens;
  if (front.computed > 0) offer.loaded_blocks = state.BlocksFor(front.computed);
  offer.cached = front.computed > 0 ? front.computed : state.HitTokens(front);
  if (!state.front_is_remote() && front.kv_source == KvSource::kPool) {  // fetched when it begins
    offer.source = KvSource::kNone;
    offer.cached = front.kv_tokens;
  }
  return offer;
}

// With `budget` tokens left in the batch, for chunked.
bool HasBlocks(const LocalSchedulerConfig& config, const Offer& offer, int64_t budget) {
  int64_t tokens = offer.target;
  if (offer.stored > 0) {
    tokens = offer.stored + 1;
  } else if (config.policy->name() == "chunked" && offer.source == KvSource::kNone &&
             !config.policy->values().flag("reserve_full_prompt") && offer.slots > 0) {
    tokens = std::min<int64_t>(offer.target, offer.cached + budget);
  }
  const int64_t need = offer.BlocksFor(tokens) - offer.loaded_blocks;
  if (offer.loaded_blocks > 0) return need <= offer.free;
  if (need > offer.free - offer.promised) return false;
  if (offer.slots == 0) return true;
  const auto share = [&](double part) {
    return static_cast<int64_t>(part * static_cast<double>(offer.total));
  };
  const int64_t used = offer.total - offer.free;
  return offer.free - need >= share(config.watermark) &&
         (!offer.is_new || used + need <= share(config.max_memory_ratio));
}

// Whether the front may join a batch of `shape`, which is not empty. KV caches that load take no
// token of it.
bool BatchHasRoom(const LocalSchedulerConfig& config, const Offer& offer,
                  const IterationShape& shape) {
  const int64_t batched = shape.decode_count + shape.prefill_tokens;
  const bool remote = offer.source != KvSource::kNone;
  const bool within = remote || config.max_num_batched_tokens == 0 ||
                      batched + offer.target - offer.cached <= config.max_num_batched_tokens;
  const std::string& policy = config.policy->name();
  // A prompt is cut to what is left.
  if (policy == "chunked") return batched < config.max_num_batched_tokens;
  // Without a prompt the batch is under way.
  if (policy == "static") return within && !shape.prefill.empty();
  // Prompts or decodes, prompts first; swapped out requests come back with decodes.
  if (policy == "vllm_v0") {
    return shape.prefill.empty() || (within && offer.source != KvSource::kHost);
  }
  return within;
}

bool Admissible(const LocalSchedulerConfig& config, const Offer& offer,
                const IterationShape& shape) {
  const int64_t left =
      int64_t{config.max_num_batched_tokens} - shape.decode_count - shape.prefill_tokens;
  return offer.slots < config.max_num_seqs && BatchHasRoom(config, offer, shape) &&
         HasBlocks(config, offer, left);
}

// Watches one run.
class Watch {
 public:
  explicit Watch(const Plan& plan) : plan_(plan), before_(plan.workers.size()) {}

  void AfterEvent(const Simulation& simulation) {
    const Cluster& cluster = simulation.cluster();
    const SimTime now = simulation.progress().now;
    if (now > moment_) MomentIsOver();
    moment_ = now;
    // What the cluster does with those that left comes after the batch was formed: one that finds
    // its KV cache lost is sent anew, perhaps here; one that is rejected frees blocks; one that
    // migrates may go to a rank in lock-step.
    const Results& results = simulation.results();
    const int64_t answers = results.redispatched + results.migrations + cluster.rejected();
    const bool answered = answers != answers_;
    answers_ = answers;
    for (size_t i = 0; i < cluster.size(); ++i) {
      AfterEventOf(cluster.worker(i), answered, &before_[i]);
    }
    broken_.clear();
    for (size_t i = 0; i < cluster.size(); ++i) {
      const bool draining = cluster.status(i) == WorkerStatus::kDraining;
      if (!RunsAlong(cluster, i)) LookAtIdle(cluster.worker(i), draining);
    }
    LookForHomes(cluster);
  }
  void MomentIsOver() const { EXPECT_EQ(broken_, "") << " at " << moment_ << " ns"; }

  // What the checks came across.
  int64_t idle_fronts = 0;                 // that could not be admitted by a worker at rest
  std::map<std::string, int64_t> batches;  // of each policy, formed beside a front that had to wait
  int64_t for_blocks = 0;                  // of them, for blocks alone
  int64_t homeless = 0;
  int64_t waiting_workers = 0;  // for more requests

 private:
  struct Before {
    int64_t preemptions = 0;
    int64_t prefilled = 0;
    SimTime end = kUnset;
    int64_t swapped_in = 0;
    std::optional<Offer> ahead;  // what was left when the batch after the current was formed
  };

  void AfterEventOf(const Worker& worker, bool answered, Before* before) {
    const WorkerState& state = worker.state();
    const bool formed = worker.iteration_end() != before->end && worker.iteration_end() != kUnset;
    const bool preempted = worker.stats().preemptions != before->preemptions;
    const bool ended = worker.iteration_end() == kUnset;
    // vllm_v0 does not look at prompts behind swapped out requests, not even when those come back.
    const bool passed_over = worker.plan().scheduler.policy->name() == "vllm_v0" &&
                             (worker.stats().swapped_in_blocks != before->swapped_in ||
                              state.slots_used() > state.present_count());
    before->swapped_in = worker.stats().swapped_in_blocks;
    // A cache sent layer by layer may be there already: then the sender's blocks come free at once.
    // (A prompt that is computed again after a failure is not counted as prefilled.)
    const bool handed_over =
        plan_.network.mode == TransferMode::kLayerwise && worker.plan().role == Role::kPrefill &&
        (worker.stats().prefilled != before->prefilled || !plan_.worker_events.empty());
    before->prefilled = worker.stats().prefilled;
    before->preemptions = worker.stats().preemptions;
    before->end = worker.iteration_end();
    if (ended) before->ahead.reset();
    if (!formed) return;
    std::optional<Offer> offer;
    if (state.has_waiting() && !preempted && !answered && !handed_over &&
        !(passed_over && !state.front_is_swapped())) {
      offer = OfferOf(state);
    }
    if (worker.plan().scheduler.async_depth > 1) {
      // The queue is as it was left by the batch that follows; one that is empty is formed anew.
      std::swap(offer, before->ahead);
      if (state.running_count() == 0) before->ahead.reset();
    }
    if (offer) ExpectFull(worker, *offer);
  }

  void ExpectFull(const Worker& worker, const Offer& offer) {
    const LocalSchedulerConfig& config = worker.plan().scheduler;
    const IterationShape shape = worker.iteration_shape();
    EXPECT_FALSE(Admissible(config, offer, shape))
        << worker.plan().name << " leaves out " << offer.target << " tokens at " << moment_
        << " ns, policy " << config.policy->name() << ", depth " << config.async_depth
        << ", beside " << shape.decode_count << " decodes and " << shape.prefill_tokens
        << " tokens of prompts; " << offer.free << " of " << offer.total << " blocks free, "
        << offer.promised << " promised; " << offer.slots << " slots used";
    ++batches[config.policy->name()];
    for_blocks += offer.slots < config.max_num_seqs && BatchHasRoom(config, offer, shape);
  }

  // Whether another rank in lock-step runs: then it looks at its queue when that has ended.
  static bool RunsAlong(const Cluster& cluster, size_t i) {
    const WorkerPlan& plan = cluster.worker(i).plan();
    if (plan.lockstep_first < 0) return false;
    const auto first = static_cast<size_t>(plan.lockstep_first);
    for (size_t rank = first; rank < first + static_cast<size_t>(plan.lockstep_ranks); ++rank) {
      if (cluster.worker(rank).iteration_end() != kUnset) return true;
    }
    return false;
  }

  void LookAtIdle(const Worker& worker, bool draining) {
    const WorkerState& state = worker.state();
    if (worker.iteration_end() != kUnset) return;
    const std::string name = worker.plan().name;
    if (state.running_count() > 0) broken_ += name + " rests with running requests ";
    if (worker.waits()) return LookAtWaiting(worker, draining);
    if (FillsBatches(worker) && state.expects_loads()) return;
    if (!state.has_waiting()) {
      if (state.waiting_count() > 0) broken_ += name + " rests with loaded requests ";
      return;
    }
    // In an empty batch any prompt has room.
    const LocalSchedulerConfig& config = worker.plan().scheduler;
    const Offer offer = OfferOf(state);
    const int64_t budget = config.max_num_batched_tokens;
    if (offer.slots < config.max_num_seqs && HasBlocks(config, offer, budget)) {
      broken_ += name + " rests beside its queue ";
    }
    ++idle_fronts;
  }

  static bool FillsBatches(const Worker& worker) {
    const LocalSchedulerFactory& policy = *worker.plan().scheduler.policy;
    return policy.traits().fills_batches != nullptr &&
           policy.traits().fills_batches(policy.values());
  }

  void LookAtWaiting(const Worker& worker, bool draining) {
    const WorkerState& state = worker.state();
    const LocalSchedulerConfig& config = worker.plan().scheduler;
    const SimTime timeout = FromSeconds(config.policy->values().real("static.timeout_seconds"));
    if (!FillsBatches(worker)) broken_ += "a worker waits that never does ";
    if (draining) broken_ += worker.plan().name + " waits, and nobody comes ";
    // Blocks that are reserved ahead are no reason to ask it again: the KV cache is, when it comes.
    if (!state.expects_loads() &&
        state.slots_used() + state.queued_count() >= config.max_num_seqs) {
      broken_ += worker.plan().name + " waits beside a full batch ";
    }
    if (timeout > 0 && state.waiting_since() <= moment_ - timeout) {
      broken_ += worker.plan().name + " waits too long ";
    }
    ++waiting_workers;
  }

  void LookForHomes(const Cluster& cluster) {
    if (cluster.homeless() == 0) return;
    bool prefills = false;
    bool decodes = false;
    for (size_t i = 0; i < cluster.size(); ++i) {
      if (cluster.status(i) != WorkerStatus::kServing) continue;
      prefills = prefills || plan_.workers[i].role != Role::kDecode;
      decodes = decodes || plan_.workers[i].role != Role::kPrefill;
    }
    if (prefills && decodes) broken_ += "requests wait for a worker ";
    ++homeless;
  }

  const Plan& plan_;
  std::vector<Before> before_;
  std::string broken_;  // unless another event of the same moment mends it
  SimTime moment_ = 0;
  int64_t answers_ = 0;
};

TEST(WorkConservation, NobodyWaitsForWhatIsFree) {
  int64_t idle_fronts = 0;
  std::map<std::string, int64_t> batches;  // by policy
  int64_t for_blocks = 0;
  int64_t homeless = 0;
  for (uint64_t seed = 1; seed <= Seeds(2000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomCluster(seed);
    Watch watch(*plan);
    const Results results = RunEngineByEvents(
        plan, nullptr, [&](const Simulation& simulation) { watch.AfterEvent(simulation); });
    watch.MomentIsOver();
    EXPECT_EQ(results.end_reason, EndReason::kCompleted);
    if (HasFailure()) return;
    idle_fronts += watch.idle_fronts;
    for (const auto& [policy, formed] : watch.batches) batches[policy] += formed;
    for_blocks += watch.for_blocks;
    homeless += watch.homeless;
  }
  EXPECT_GE(idle_fronts, 1'000);
  for (const LocalSchedulerEntry* policy : LocalSchedulers().entries()) {
    EXPECT_GE(batches[std::string(policy->name)], 5'000) << policy->name;
  }
  EXPECT_GE(for_blocks, 10'000);
  EXPECT_GE(homeless, 500);
}

TEST(WorkConservation, OrTheBatchIsNotFull) {
  int64_t waiting_workers = 0;
  for (uint64_t seed = 1; seed <= Seeds(1000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto plan = RandomWaitingCluster(seed);
    Watch watch(*plan);
    const Results results = RunEngineByEvents(
        plan, nullptr, [&](const Simulation& simulation) { watch.AfterEvent(simulation); });
    watch.MomentIsOver();
    EXPECT_EQ(results.end_reason, EndReason::kCompleted);
    if (HasFailure()) return;
    waiting_workers += watch.waiting_workers;
  }
  EXPECT_GE(waiting_workers, 100'000);
}

}  // namespace
}  // namespace tokensim
