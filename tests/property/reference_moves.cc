#include "tests/property/reference_moves.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "tests/property/reference_layout.h"

namespace tokensim {
namespace {

std::vector<int32_t> NodesOf(const Plan& plan) {
  std::vector<int32_t> nodes;
  for (const WorkerPlan& worker : plan.workers) nodes.push_back(worker.node);
  return nodes;
}

}  // namespace

ReferenceMoves::ReferenceMoves(const Plan& plan)
    : plan_(plan), network_(plan.network, NodesOf(plan)), host_link_free_(plan.workers.size(), 0) {
  if (plan.memory_pool && plan.memory_pool->link && plan.memory_pool->load == PoolLoad::kAsync) {
    pool_link_ = network_.AddLink(*plan.memory_pool->link);
  }
}

ReferenceMove* ReferenceMoves::Add(const ReferenceMove& move) {
  moves_.push_back(std::make_unique<ReferenceMove>(move));
  moves_.back()->order = added_++;
  return moves_.back().get();
}

void ReferenceMoves::Remove(const ReferenceMove* move) {
  std::erase_if(moves_, [move](const auto& m) { return m.get() == move; });
}

std::vector<ReferenceMove*> ReferenceMoves::All() const {
  std::vector<ReferenceMove*> all;
  for (const auto& move : moves_) all.push_back(move.get());
  return all;
}

void ReferenceMoves::StartKv(ReferenceMove* move, SimTime first, SimTime last, SimTime now) {
  const WorkerPlan& sender = plan_.workers[static_cast<size_t>(move->from)];
  move->start = now;
  move->transfer = network_.Start(now,
                                  network_.KvTransfer({.from = move->from,
                                                       .to = move->to,
                                                       .bytes = CacheBytes(sender, move->tokens),
                                                       .layers = sender.num_layers,
                                                       .first_layer = first,
                                                       .last_layer = last}),
                                  static_cast<uint64_t>(move->order));
}

void ReferenceMoves::StartFetch(ReferenceMove* move, int64_t blocks, SimTime now) {
  const WorkerPlan& worker = plan_.workers[static_cast<size_t>(move->to)];
  TransferSpec spec{
      .bytes = CacheBytes(worker, move->tokens), .first_release = now, .last_release = now};
  if (pool_link_) spec.path.Append(*pool_link_);
  spec.extra_latency_seconds =
      plan_.memory_pool->fetch_latency_per_block_seconds * static_cast<double>(blocks);
  move->start = now;
  move->transfer = network_.Start(now, spec, static_cast<uint64_t>(move->order));
}

SimTime ReferenceMoves::FetchBlocking(int32_t worker, int64_t tokens, SimTime now) {
  const MemoryPoolConfig& config = *plan_.memory_pool;
  const WorkerPlan& plan = plan_.workers[static_cast<size_t>(worker)];
  const int64_t blocks = (tokens + plan.block_size - 1) / plan.block_size;
  double latency = config.fetch_latency_per_block_seconds * static_cast<double>(blocks);
  if (config.link) latency += config.link->latency_seconds;
  const SimTime ready = now + FromSeconds(latency);
  if (!config.link || config.link->bandwidth_bytes_per_second == 0) return ready;
  const auto bytes = static_cast<double>(CacheBytes(plan, tokens));
  pool_link_free_ = std::max(pool_link_free_, ready) +
                    FromSeconds(bytes / config.link->bandwidth_bytes_per_second);
  return pool_link_free_;
}

void ReferenceMoves::StartSwap(ReferenceMove* move, SimTime now) {
  const WorkerPlan& plan = plan_.workers[static_cast<size_t>(move->to)];
  const LinkConfig& link = plan.host_link;
  SimTime& free = host_link_free_[static_cast<size_t>(move->to)];
  SimTime end = std::max(free, now + FromSeconds(link.latency_seconds));
  if (link.bandwidth_bytes_per_second > 0) {
    const int64_t moved = move->kind == ReferenceMove::Kind::kSwapOut
                              ? move->blocks * BlockBytes(plan)
                              : CacheBytes(plan, move->tokens);
    const auto bytes = static_cast<double>(moved);
    const double nanos = bytes / link.bandwidth_bytes_per_second * 1e9;
    end += static_cast<SimTime>(std::ceil(std::max(0.0, nanos - 1e-3)));
  }
  free = end;
  move->start = now;
  move->end = end;
}

void ReferenceMoves::Cancel(ReferenceMove* move, SimTime now) {
  if (move->transfer != kNoTransfer) network_.Cancel(now, move->transfer);
  // With its worker, every copy of a host link is cancelled.
  if (move->end != kNever) host_link_free_[static_cast<size_t>(move->to)] = 0;
  move->transfer = kNoTransfer;
  move->end = kNever;
}

SimTime ReferenceMoves::Next() const {
  SimTime next = network_.NextEvent();
  for (const auto& move : moves_) next = std::min(next, move->end);
  return next;
}

// When a transfer over links without a limit ends, where that is easily said.
std::optional<SimTime> ReferenceMoves::UnlimitedEnd(const ReferenceMove& move) const {
  if (move.kind == ReferenceMove::Kind::kPoolFetch) {
    const MemoryPoolConfig& config = *plan_.memory_pool;
    const WorkerPlan& worker = plan_.workers[static_cast<size_t>(move.to)];
    const int64_t blocks = (move.tokens + worker.block_size - 1) / worker.block_size;
    const double latency = config.fetch_latency_per_block_seconds * static_cast<double>(blocks);
    if (!config.link) return move.start + FromSeconds(latency);
    if (config.link->bandwidth_bytes_per_second > 0) return std::nullopt;
    return move.start + FromSeconds(latency + config.link->latency_seconds);
  }
  const bool near = plan_.workers[static_cast<size_t>(move.from)].node ==
                    plan_.workers[static_cast<size_t>(move.to)].node;
  LinkConfig link = near ? plan_.network.intra_node : plan_.network.inter_node;
  if (near && !plan_.network.connections.empty()) {
    const LinkConfig& from = plan_.network.connections[static_cast<size_t>(move.from)];
    const LinkConfig& to = plan_.network.connections[static_cast<size_t>(move.to)];
    link.latency_seconds = std::max(from.latency_seconds, to.latency_seconds);
    // Under fifo a port waits for a transfer whose other end is slow.
    for (const LinkConfig& other : plan_.network.connections) {
      if (other.bandwidth_bytes_per_second > 0) return std::nullopt;
    }
    link.bandwidth_bytes_per_second = 0;
  }
  if (link.bandwidth_bytes_per_second > 0) return std::nullopt;
  if (plan_.network.mode != TransferMode::kSequential) return std::nullopt;
  // Every group of blocks takes the latency, one after the other.
  return move.start + plan_.network.groups * FromSeconds(link.latency_seconds);
}

std::vector<ReferenceMove*> ReferenceMoves::Arrived(SimTime now) {
  std::vector<CompletedTransfer> completed;
  network_.Advance(now, &completed);
  std::vector<ReferenceMove*> arrived;
  for (const CompletedTransfer& transfer : completed) {
    for (const auto& move : moves_) {
      if (static_cast<uint64_t>(move->order) == transfer.tag) arrived.push_back(move.get());
    }
    EXPECT_EQ(UnlimitedEnd(*arrived.back()).value_or(now), now);
  }
  for (const auto& move : moves_) {
    if (move->end == now) arrived.push_back(move.get());
  }
  for (ReferenceMove* move : arrived) {
    move->transfer = kNoTransfer;
    move->end = kNever;
  }
  return arrived;
}

}  // namespace tokensim
