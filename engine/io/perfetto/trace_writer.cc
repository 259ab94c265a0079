#include "engine/io/perfetto/trace_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tokensim {
namespace {

// Numbers of processes, in the order that the viewer shows them.
constexpr int32_t kRequestsPid = 1;
constexpr int32_t kNetworkPid = 2;
constexpr int32_t kPoolPid = 3;
constexpr int32_t kFirstWorkerPid = 1000;

TraceName NameOf(const v1::Iteration& iteration) {
  if (iteration.prefill_tokens() > 0) {
    return iteration.decode_tokens() > 0 ? TraceName::kMixed : TraceName::kPrefill;
  }
  return iteration.decode_tokens() > 0 ? TraceName::kDecode : TraceName::kEmpty;
}

TraceName NameOf(v1::WorkerState state) {
  switch (state) {
    case v1::WORKER_STATE_STARTING:
      return TraceName::kStarting;
    case v1::WORKER_STATE_DRAINING:
      return TraceName::kDraining;
    case v1::WORKER_STATE_STOPPED:
      return TraceName::kStopped;
    case v1::WORKER_STATE_FAILED:
      return TraceName::kFailed;
    default:
      return TraceName::kServing;
  }
}

// Flows are numbered from 1.
uint64_t FlowOf(int64_t request) { return static_cast<uint64_t>(request) + 1; }

}  // namespace

Track TraceLanes::Take(int64_t begin_ns, int64_t end_ns, const std::function<Track(int64_t)>& add) {
  auto after = free_from_.upper_bound(begin_ns);
  Track lane = 0;
  if (after == free_from_.begin()) {
    lane = add(static_cast<int64_t>(free_from_.size()));
  } else {
    --after;
    lane = after->second;
    free_from_.erase(after);
  }
  free_from_.emplace(end_ns, lane);
  return lane;
}

std::span<const v1::EventKind> TraceEventKinds() {
  static constexpr v1::EventKind kKinds[] = {
      v1::EVENT_KIND_REQUEST_SCHEDULED, v1::EVENT_KIND_FIRST_TOKEN,
      v1::EVENT_KIND_REQUEST_PREEMPTED, v1::EVENT_KIND_REQUEST_FINISHED,
      v1::EVENT_KIND_REQUEST_REJECTED,  v1::EVENT_KIND_ITERATION,
      v1::EVENT_KIND_MEMORY_SNAPSHOT,   v1::EVENT_KIND_KV_TRANSFERRED,
      v1::EVENT_KIND_REQUEST_SWAPPED,   v1::EVENT_KIND_REQUEST_DISPATCHED,
      v1::EVENT_KIND_WORKER_CHANGED,    v1::EVENT_KIND_OPERATOR_LOG};
  return kKinds;
}

TraceWriter::TraceWriter(std::vector<std::string> worker_names) : names_(std::move(worker_names)) {
  for (size_t i = 0; i < names_.size(); ++i) (void)At(static_cast<int32_t>(i));
}

TraceWriter::Worker& TraceWriter::At(int32_t index) {
  const auto [it, added] = workers_.try_emplace(index);
  Worker& worker = it->second;
  if (!added) return worker;
  worker.pid = kFirstWorkerPid + index;
  const auto i = static_cast<size_t>(index);
  worker.process = packets_.AddProcess(
      worker.pid, i < names_.size() ? names_[i] : absl::StrCat("worker ", index));
  worker.happenings = packets_.AddThread(worker.pid, ++worker.threads, "requests");
  return worker;
}

void TraceWriter::Count(Worker* worker, int64_t time_ns, const char* name, CounterUnit unit,
                        int64_t value) {
  Counter& counter = worker->counters[name];
  if (value == counter.value) return;
  if (counter.track == 0) {
    counter.track = packets_.AddCounter(worker->process, name, unit);
    packets_.Count(counter.track, 0, 0);
  }
  counter.value = value;
  packets_.Count(counter.track, time_ns, value);
}

void TraceWriter::Happened(int32_t worker, int64_t time_ns, TraceName name, int64_t request,
                           TraceDetails details, bool ends) {
  if (worker < 0) return;
  const Track track = At(worker).happenings;
  const TraceFlow flow = {.id = FlowOf(request), .ends = ends};
  if (details.size() > 0) return packets_.Instant(track, time_ns, name, details, flow);
  packets_.Instant(track, time_ns, name, {{TraceName::kRequest, request}}, flow);
}

void TraceWriter::AddIteration(int64_t time_ns, const v1::Iteration& iteration) {
  Worker& worker = At(iteration.worker());
  const int64_t begin = time_ns - iteration.duration_ns();
  const Track lane = worker.iterations.Take(begin, time_ns, [&](int64_t i) {
    const std::string name = i == 0 ? "iterations" : absl::StrCat("iterations ", i + 1);
    return packets_.AddThread(worker.pid, ++worker.threads, name);
  });
  packets_.Begin(lane, begin, NameOf(iteration),
                 {{TraceName::kIndex, iteration.index()},
                  {TraceName::kPrefillTokens, iteration.prefill_tokens()},
                  {TraceName::kPrefillChunks, iteration.prefill_chunks()},
                  {TraceName::kDecodeTokens, iteration.decode_tokens()},
                  {TraceName::kKvBlocks, iteration.kv_blocks_used()},
                  {TraceName::kRunning, iteration.running()},
                  {TraceName::kWaiting, iteration.waiting()}});
  packets_.End(lane, time_ns);
  Count(&worker, begin, "running", CounterUnit::kCount, iteration.running());
  Count(&worker, begin, "waiting", CounterUnit::kCount, iteration.waiting());
  Count(&worker, begin, "KV blocks", CounterUnit::kCount, iteration.kv_blocks_used());
}

void TraceWriter::AddSnapshot(int64_t time_ns, const v1::MemorySnapshot& snapshot) {
  for (const v1::WorkerMemory& memory : snapshot.workers()) {
    Worker& worker = At(memory.worker());
    Count(&worker, time_ns, "cached blocks", CounterUnit::kCount, memory.cached_blocks());
    Count(&worker, time_ns, "loading", CounterUnit::kCount, memory.loading());
    Count(&worker, time_ns, "held", CounterUnit::kCount, memory.held());
    Count(&worker, time_ns, "host memory", CounterUnit::kBytes, memory.host_bytes_used());
  }
  if (snapshot.pool_bytes_used() == 0 && pool_.process == 0) return;
  if (pool_.process == 0) pool_.process = packets_.AddProcess(kPoolPid, "memory pool");
  Count(&pool_, time_ns, "used", CounterUnit::kBytes, snapshot.pool_bytes_used());
}

void TraceWriter::AddTransfer(int64_t time_ns, const v1::KvTransferred& transfer) {
  if (!has_network_) (void)packets_.AddProcess(kNetworkPid, "network");
  has_network_ = true;
  const int64_t begin = transfer.start_time_ns();
  const Track lane = network_.Take(begin, time_ns, [&](int64_t i) {
    return packets_.AddThread(kNetworkPid, i + 1, absl::StrCat("transfers ", i + 1));
  });
  packets_.Begin(lane, begin, TraceName::kTransfer,
                 {{TraceName::kRequest, transfer.request_id()},
                  {TraceName::kFrom, transfer.from_worker()},
                  {TraceName::kTo, transfer.to_worker()},
                  {TraceName::kBytes, transfer.bytes()},
                  {TraceName::kTokens, transfer.tokens()}},
                 {.id = FlowOf(transfer.request_id())});
  packets_.End(lane, time_ns);
}

void TraceWriter::AddOperator(const v1::OperatorLog& log) {
  Worker& worker = At(log.worker());
  const int64_t begin = log.start_time_ns();
  const int64_t end = begin + log.duration_ns();
  const Track lane = worker.operators.Take(begin, end, [&](int64_t i) {
    const std::string name = i == 0 ? "operators" : absl::StrCat("operators ", i + 1);
    return packets_.AddThread(worker.pid, ++worker.threads, name);
  });
  packets_.Begin(lane, begin, log.operator_name(), {{TraceName::kLayer, log.layer()}});
  packets_.End(lane, end);
}

void TraceWriter::AddEnd(const v1::RequestRecord& record) {
  const bool rejected = record.reject_reason() != v1::REJECT_REASON_UNSPECIFIED;
  Happened(record.worker(), record.finish_ns(),
           rejected ? TraceName::kRejected : TraceName::kFinished, record.request_id(), {}, true);
  if (!has_requests_) (void)packets_.AddProcess(kRequestsPid, "requests");
  has_requests_ = true;
  const Track lane = requests_.Take(record.arrival_ns(), record.finish_ns(), [&](int64_t i) {
    return packets_.AddThread(kRequestsPid, i + 1, absl::StrCat("requests ", i + 1));
  });
  const std::string name = absl::StrCat("request ", record.request_id());
  const TraceFlow flow = {.id = FlowOf(record.request_id())};
  if (rejected) {
    packets_.Begin(lane, record.arrival_ns(), absl::StrCat(name, " rejected"),
                   {{TraceName::kInputTokens, record.input_tokens()},
                    {TraceName::kOutputTokens, record.output_tokens()},
                    {TraceName::kReason, record.reject_reason()}},
                   flow);
    return packets_.End(lane, record.finish_ns());
  }
  packets_.Begin(lane, record.arrival_ns(), name,
                 {{TraceName::kInputTokens, record.input_tokens()},
                  {TraceName::kOutputTokens, record.output_tokens()},
                  {TraceName::kCachedTokens, record.cached_tokens()},
                  {TraceName::kPreemptions, record.preemptions()},
                  {TraceName::kWorker, record.worker()},
                  {TraceName::kPrefillWorker, record.prefill_worker()},
                  {TraceName::kClientClass, record.client_class()},
                  {TraceName::kConversation, record.conversation()},
                  {TraceName::kTurn, record.turn()},
                  {TraceName::kTtftNs, record.first_token_ns() - record.arrival_ns()},
                  {TraceName::kMaxItlNs, record.max_itl_ns()},
                  {TraceName::kKvTransferNs, record.kv_transfer_ns()},
                  {TraceName::kDecodeQueueingNs, record.decode_queueing_ns()}},
                 flow);
  const auto part = [&](TraceName what, int64_t begin, int64_t end) {
    if (end <= begin) return;
    packets_.Begin(lane, begin, what, {});
    packets_.End(lane, end);
  };
  part(TraceName::kQueued, record.arrival_ns(), record.scheduled_ns());
  part(TraceName::kPrefill, record.scheduled_ns(), record.first_token_ns());
  part(TraceName::kDecode, record.first_token_ns(), record.finish_ns());
  packets_.End(lane, record.finish_ns());
}

void TraceWriter::Add(const v1::Event& event) {
  const int64_t time = event.time_ns();
  switch (event.body_case()) {
    case v1::Event::kRequestScheduled:
      return Happened(event.request_scheduled().worker(), time, TraceName::kScheduled,
                      event.request_scheduled().request_id());
    case v1::Event::kFirstToken:
      return Happened(event.first_token().worker(), time, TraceName::kFirstToken,
                      event.first_token().request_id());
    case v1::Event::kRequestPreempted: {
      const v1::RequestPreempted& body = event.request_preempted();
      return Happened(body.worker(), time, TraceName::kPreempted, body.request_id());
    }
    case v1::Event::kRequestDispatched: {
      const v1::RequestDispatched& body = event.request_dispatched();
      return Happened(body.to_worker(), time, TraceName::kDispatched, body.request_id(),
                      {{TraceName::kRequest, body.request_id()},
                       {TraceName::kFrom, body.from_worker()},
                       {TraceName::kReason, body.reason()}});
    }
    case v1::Event::kRequestSwapped: {
      const v1::RequestSwapped& body = event.request_swapped();
      return Happened(
          body.worker(), time, body.out() ? TraceName::kSwapOut : TraceName::kSwapIn,
          body.request_id(),
          {{TraceName::kRequest, body.request_id()}, {TraceName::kBytes, body.bytes()}});
    }
    case v1::Event::kWorkerChanged:
      return packets_.Instant(At(event.worker_changed().worker()).happenings, time,
                              NameOf(event.worker_changed().state()), {});
    case v1::Event::kRequestFinished:
      return AddEnd(event.request_finished().record());
    case v1::Event::kRequestRejected:
      return AddEnd(event.request_rejected().record());
    case v1::Event::kIteration:
      return AddIteration(time, event.iteration());
    case v1::Event::kMemorySnapshot:
      return AddSnapshot(time, event.memory_snapshot());
    case v1::Event::kKvTransferred:
      return AddTransfer(time, event.kv_transferred());
    case v1::Event::kOperatorLog:
      return AddOperator(event.operator_log());
    default:  // arrivals and tokens are in the bar of the request
      return;
  }
}

}  // namespace tokensim
