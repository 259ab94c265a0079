// Turns the events of a simulation into a Perfetto trace.
//
//   TraceWriter trace({"gpu/0", "gpu/1"});
//   for (each event) trace.Add(event);
//   file << trace.TakeBytes();                     // now and then, and at the end
//
// Processes:
//   every worker    its iterations (rows more where several are under way), what happened to its
//                   requests, logged operators; counters of requests running and waiting, KV blocks,
//                   and of what MemorySnapshots add
//   requests        a bar for each that has ended: queued, prefill, decode; as many rows as requests
//                   overlap
//   network         KV caches on their way
// One flow joins what belongs to a request. Any part of a stream is a trace: a bar needs no event but
// the one of the request's end. Memory: what overlaps, not what has passed. Thread-safety: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/io/perfetto/packet_writer.h"
#include "tokensim/v1/events.pb.h"

namespace tokensim {

// The kinds of events that a trace shows: all but arrivals and tokens, which are in the bars of
// requests.
[[nodiscard]] std::span<const v1::EventKind> TraceEventKinds();

// Rows for slices that overlap: each gets one that is free at its begin.
class TraceLanes {
 public:
  // The lane that was free for the shortest time; `add(i)` makes the i-th, from 0, when none is.
  Track Take(int64_t begin_ns, int64_t end_ns, const std::function<Track(int64_t)>& add);

 private:
  std::multimap<int64_t, Track> free_from_;
};

class TraceWriter {
 public:
  // Names by the worker's number; a worker beyond them is called by its number.
  explicit TraceWriter(std::vector<std::string> worker_names);

  void Add(const v1::Event& event);

  // What was written since the last call.
  [[nodiscard]] std::string TakeBytes() { return packets_.TakeBytes(); }

 private:
  // A counter that appears with its first value other than 0, and writes what changes.
  struct Counter {
    Track track = 0;
    int64_t value = 0;
  };
  struct Worker {
    int32_t pid = 0;
    Track process = 0;
    Track happenings = 0;
    int64_t threads = 0;
    TraceLanes iterations;
    TraceLanes operators;
    std::map<std::string, Counter> counters;
  };

  Worker& At(int32_t worker);
  void Count(Worker* worker, int64_t time_ns, const char* name, CounterUnit unit, int64_t value);
  // Of a request, at a worker; worker -1: none.
  void Happened(int32_t worker, int64_t time_ns, TraceName name, int64_t request,
                TraceDetails details = {}, bool ends = false);
  void AddIteration(int64_t time_ns, const v1::Iteration& iteration);
  void AddSnapshot(int64_t time_ns, const v1::MemorySnapshot& snapshot);
  void AddTransfer(int64_t time_ns, const v1::KvTransferred& transfer);
  void AddOperator(const v1::OperatorLog& log);
  void AddEnd(const v1::RequestRecord& record);

  std::vector<std::string> names_;
  PacketWriter packets_;
  std::map<int32_t, Worker> workers_;
  Worker pool_;
  TraceLanes requests_;
  TraceLanes network_;
  bool has_requests_ = false;
  bool has_network_ = false;
};

}  // namespace tokensim
