// Writes Perfetto's trace format: processes with threads of nested slices, and counters.
//
//   PacketWriter packets;
//   const int64_t worker = packets.AddProcess(1000, "gpu/0");
//   const Track row = packets.AddThread(1000, 1, "iterations");
//   packets.Begin(row, 0, TraceName::kPrefill, {{TraceName::kPrefillTokens, 512}});
//   packets.End(row, 8'000'000);
//   file << packets.TakeBytes();
//
// The bytes of several TakeBytes in a row are one file: a Trace is a concatenation of packets. All
// times are simulated nanoseconds from 0. Slices of one thread must nest, in order of time; different
// threads may be written in any order, readers sort.
//
// Format: google/perfetto, protos/perfetto/trace/track_event. Thread-safety: one thread at a time.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace tokensim {

// What slices and their details are called. Written once into a trace, then referred to by number.
enum class TraceName {
  kPrefill,
  kDecode,
  kMixed,
  kEmpty,
  kQueued,
  kScheduled,
  kFirstToken,
  kPreempted,
  kFinished,
  kRejected,
  kDispatched,
  kSwapIn,
  kSwapOut,
  kTransfer,
  kStarting,
  kServing,
  kDraining,
  kStopped,
  kFailed,
  kIndex,
  kPrefillTokens,
  kPrefillChunks,
  kDecodeTokens,
  kKvBlocks,
  kRunning,
  kWaiting,
  kRequest,
  kInputTokens,
  kOutputTokens,
  kCachedTokens,
  kPreemptions,
  kWorker,
  kPrefillWorker,
  kClientClass,
  kConversation,
  kTurn,
  kTtftNs,
  kMaxItlNs,
  kKvTransferNs,
  kDecodeQueueingNs,
  kReason,
  kFrom,
  kTo,
  kBytes,
  kTokens,
  kLayer,
};

struct TraceDetail {
  TraceName name;
  int64_t value;
};
using TraceDetails = std::initializer_list<TraceDetail>;

enum class CounterUnit { kCount, kBytes };

// A row of the trace; 0: none.
using Track = uint64_t;

// How a slice or an instant is joined by arrows with others of the same flow. 0: not at all.
struct TraceFlow {
  uint64_t id = 0;
  bool ends = false;
};

class PacketWriter {
 public:
  PacketWriter();

  // Processes and threads are told apart by their numbers; a process must not have number 0.
  Track AddProcess(int32_t pid, std::string_view name);
  Track AddThread(int32_t pid, int64_t tid, std::string_view name);
  Track AddCounter(Track process, std::string_view name, CounterUnit unit);

  void Begin(Track thread, int64_t time_ns, TraceName name, TraceDetails details,
             TraceFlow flow = {});
  // A slice with a name of its own.
  void Begin(Track thread, int64_t time_ns, std::string_view name, TraceDetails details,
             TraceFlow flow = {});
  void End(Track thread, int64_t time_ns);
  void Instant(Track thread, int64_t time_ns, TraceName name, TraceDetails details,
               TraceFlow flow = {});
  void Count(Track counter, int64_t time_ns, int64_t value);

  // What was written since the last call.
  [[nodiscard]] std::string TakeBytes();

 private:
  Track last_track_ = 0;
  std::string bytes_;
};

}  // namespace tokensim
