#include "engine/cluster/pool_tier.h"

#include <algorithm>
#include <string>

namespace tokensim {

LinkConfig NamedLink(LinkConfig link, const std::string& owner) {
  link.name = link.name.empty() ? owner : owner + ' ' + link.name;
  return link;
}

PoolTier::PoolTier(const Plan& plan)
    : plan_(plan),
      config_(*plan.memory_pool),
      pool_(config_),
      timeline_(plan.timeline_points, /*has_store=*/true) {}

void PoolTier::LookUp(LiveRequest* r, int32_t block_size) {
  if (r->conversation < 0 || r->turn == 0) return;
  const int32_t tokens = std::min(pool_.Find(r->conversation), r->prefill_target() - 1);
  const int32_t whole = tokens / block_size * block_size;
  if (whole == 0) return;
  pool_.Pin(r->conversation);
  r->kv_source = KvSource::kPool;
  r->kv_tokens = whole;
}

void PoolTier::FinishFetch(int64_t conversation, int32_t tokens, SimTime now) {
  Unpin(conversation, now);
  hit_tokens_ += tokens;
}

// The iteration that began with the fetch is over: the pool may drop what it kept for it.
void PoolTier::FinishBlockingFetch(int64_t conversation, int32_t worker, int32_t tokens,
                                   SimTime now) {
  FinishFetch(conversation, tokens, now);
  ++link_.transfers;
  link_.bytes += plan_.workers[static_cast<size_t>(worker)].KvBytes(tokens);
}

void PoolTier::Unpin(int64_t conversation, SimTime now) {
  Account(now);
  pool_.Unpin(conversation);
}

void PoolTier::EndTurn(const LiveRequest& r, bool finished, SimTime now) {
  if (r.conversation < 0) return;
  Account(now);
  if (r.last_turn || !finished) {
    pool_.Erase(r.conversation);
  } else {
    const WorkerPlan& worker = plan_.workers[static_cast<size_t>(r.worker)];
    pool_.Put(r.conversation, r.input_tokens + r.output_tokens - 1, worker.kv_bytes_per_token);
  }
}

double PoolTier::LookUpSeconds(int32_t worker, int32_t tokens) const {
  const int64_t block_size = plan_.workers[static_cast<size_t>(worker)].block_size;
  const int64_t blocks = (int64_t{tokens} + block_size - 1) / block_size;
  return config_.fetch_latency_per_block_seconds * static_cast<double>(blocks);
}

SimTime PoolTier::FetchFromPool(int32_t worker, int32_t tokens, SimTime now) {
  const auto after = [](SimTime time, double seconds) {
    const SimTime duration = FromSeconds(seconds);
    return duration < kNever - time ? time + duration : kNever;
  };
  double latency = LookUpSeconds(worker, tokens);
  if (!config_.link) return after(now, latency);
  latency += config_.link->latency_seconds;
  SimTime end = after(now, latency);
  if (config_.link->bandwidth_bytes_per_second > 0) {
    const WorkerPlan& receiver = plan_.workers[static_cast<size_t>(worker)];
    const auto bytes = static_cast<double>(receiver.KvBytes(tokens));
    end = after(std::max(link_.free, end), bytes / config_.link->bandwidth_bytes_per_second);
    link_.free = end;
  }
  link_.busy += std::max<SimTime>(0, end - std::max(now, link_.busy_until));
  link_.busy_until = std::max(link_.busy_until, end);
  return end;
}

void PoolTier::Conclude(SimTime end, SimTime span, Results* results) {
  if (link_.transfers > 0 && config_.link) {
    results->links.push_back({NamedLink(*config_.link, "memory pool").name, link_.transfers,
                              link_.bytes,
                              link_.busy - std::max<SimTime>(0, link_.busy_until - end),
                              config_.link->bandwidth_bytes_per_second});
  }
  results->pool.hit_tokens = hit_tokens_;
  results->pool.evicted_tokens = pool_.evicted_tokens();
  results->pool.max_bytes = pool_.max_used_bytes();
  Account(std::min(end, span));
  results->pool.bytes = timeline_.Averages(end).stored;
}

void PoolTier::Account(SimTime now) {
  timeline_.Add(accounted_, now, {}, /*busy=*/false, pool_.used_bytes());
  accounted_ = now;
}

}  // namespace tokensim
