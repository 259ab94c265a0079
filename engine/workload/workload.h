// The traffic of a run: when requests arrive and how long they are.
//
// A Workload is an immutable description, shared by any number of runs. MakeRequestSource draws
// from it. Each consumer has its own random stream, so changing one leaves the draws of the others
// alone: "arrival" (also the ramp of a closed loop), "length", "length.<class>", "class", "prefix",
// "conversation" (numbers of turns), "think" (between turns) and "user" (think times of a closed
// loop).
//
//   auto source = MakeRequestSource(workload, seed);
//   for (; source->Peek() != nullptr; source->Pop()) Use(*source->Peek());
//
// Thread-safety: Workload is const; a RequestSource belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "engine/base/time.h"

namespace tokensim {

class ArrivalFactory;
class LengthSamplerFactory;
class LengthSourceFactory;

// ---- Arrivals

struct FixedDuration {
  double seconds = 0;
};
struct ExponentialDuration {
  double mean_seconds = 0;
};
struct UniformDuration {
  double min_seconds = 0;
  double max_seconds = 0;
};
using DurationDistribution = std::variant<FixedDuration, ExponentialDuration, UniformDuration>;

// The rate moves linearly from start to end.
struct RateSegment {
  double duration_seconds = 0;  // > 0
  double start_rate = 0;        // per second, >= 0
  double end_rate = 0;
};

// A process (arrival_process.h), and what some of them have beside numbers.
struct Arrivals {
  std::shared_ptr<const ArrivalFactory> process;  // not null
  std::vector<RateSegment> segments;              // of a rate that changes
  DurationDistribution think_time;                // of users, between an end and the next request
};

// ---- Lengths, in tokens, >= 1

// Inverse distribution function, linear between its points; rounded, at least 1.
struct QuantileTable {
  std::vector<double> probabilities;  // increasing, first 0, last 1
  std::vector<double> values;         // non-decreasing, as many
};

// A distribution (length_source.h), and what some of them have beside numbers.
struct LengthDistribution {
  std::shared_ptr<const LengthSamplerFactory> sampler;  // null: always one token
  QuantileTable table;
};

// The outputs met where the input is at most max_input.
struct OutputBin {
  int32_t max_input = 0;  // the last bin's covers every input
  QuantileTable output;
};

// A source of pairs (length_source.h), and what some of them have beside numbers.
struct Lengths {
  std::shared_ptr<const LengthSourceFactory> source;  // null: independent
  LengthDistribution input;
  LengthDistribution output;
  std::vector<OutputBin> outputs;  // by increasing max_input
};

// ---- Conversations, shared prefixes, classes

// Later turns come some think time after the turn before has ended; a prompt holds all before it.
struct ConversationConfig {
  double single_turn_share = 0.5;
  int32_t min_turns = 2;
  int32_t max_turns = 7;
  DurationDistribution think_time;
  int64_t max_context_tokens = 0;  // 0: no limit
};

struct PrefixGroupConfig {
  int32_t groups = 1;
  int32_t tokens = 0;  // added to the input length
  double zipf = 0;
};

// One kind of client. Names and objectives are in the plan, by the same index.
struct ClientClassConfig {
  double share = 1;
  std::optional<Lengths> lengths;  // default: the workload's
};

// Columns of a measured trace, of equal length.
struct TraceTable {
  std::vector<SimTime> arrival;        // from the first row, non-decreasing; empty: no timestamps
  std::vector<int32_t> input_tokens;   // >= 1
  std::vector<int32_t> output_tokens;  // >= 1
  // Contents of the prompts: row i owns hash_ids[hash_begin[i] .. hash_begin[i + 1]), one for each
  // hash_block_tokens of its prompt. Empty: unknown.
  std::vector<int64_t> hash_ids;
  std::vector<int64_t> hash_begin;  // rows + 1 entries, or empty
  int32_t hash_block_tokens = 0;
  std::vector<int64_t> conversation;  // of each row, -1 none; empty: none

  [[nodiscard]] int64_t size() const { return static_cast<int64_t>(input_tokens.size()); }
};

struct Workload {
  int64_t num_requests = 0;  // >= 1; with a duration: about how many come in it
  // No request arrives at this time or later; replaces num_requests as the end of the traffic.
  SimTime duration = kNever;
  Arrivals arrivals;
  Lengths lengths;
  std::shared_ptr<const TraceTable> trace;  // set when arrivals or lengths use it; not empty
  std::optional<ConversationConfig> conversations;
  std::optional<PrefixGroupConfig> prefix_groups;
  std::vector<ClientClassConfig> classes;  // empty: one class, 0
  // Requests that the client has in the system at most; 0: no limit. Not with a closed loop or
  // conversations.
  int64_t max_in_flight = 0;

  // No request arrives later.
  [[nodiscard]] SimTime last_arrival() const { return duration == kNever ? kNever : duration - 1; }
  // How many users take turns; 0: requests wait for nobody.
  [[nodiscard]] int64_t users() const;
  // The most requests that may come. Users of a closed loop whose requests are rejected at once, and
  // who do not think, would send without end: no duration lets them.
  [[nodiscard]] int64_t most_requests() const;
  // Whether the trace says which rows form a conversation, and requests are its rows in order.
  [[nodiscard]] bool uses_trace_conversations() const;
};

// What is known of a prompt's text, for prefix caches. Tokens that neither belong to a group, a
// conversation or a hash id are the request's own.
struct PromptContent {
  // The first prefix_tokens are those of group prefix_group (0: no group).
  uint64_t prefix_group = 0;
  int32_t prefix_tokens = 0;
  // Hash ids, one for each hash_block_tokens from the start; equal ids mean equal text up to there.
  std::span<const int64_t> hash_ids;  // lives as long as the workload
  int32_t hash_block_tokens = 0;
};

struct RequestInput {
  SimTime arrival = 0;
  int32_t input_tokens = 1;  // the whole prompt: shared prefix and history included
  int32_t output_tokens = 1;
  int32_t client_class = 0;
  int32_t turn = 0;           // 0, 1... in its conversation
  int64_t conversation = -1;  // -1: none. Text of one conversation only grows from turn to turn
  bool last_turn = true;      // no turn follows
  int64_t source_tag = -1;    // for OnEnded; unique among the requests in the system
  PromptContent content;
};

// Requests in order of arrival.
//
// A reactive source (closed loop, conversations, a limit in flight) makes some requests only when others end: the run
// pops a request when its time has come, tells the source of every end, and an earlier request than
// the one peeked at may then come. It makes num_requests requests; fewer when conversations of a
// trace are cut short by rejections or max_context_tokens. With a duration it makes whatever
// arrives before its end.
class RequestSource {
 public:
  virtual ~RequestSource() = default;
  // The next request; null when there is none, for a reactive source: for now.
  [[nodiscard]] const RequestInput* Peek() const { return has_next_ ? &next_ : nullptr; }
  // Goes on to the one after.
  virtual void Pop() = 0;
  [[nodiscard]] virtual bool reactive() const { return false; }
  // A request of this source finished at `now`, not before any time told so far.
  virtual void OnEnded(int64_t /*source_tag*/, SimTime /*now*/) {}
  // It was rejected: its conversation ends with it, since no later turn could be served either.
  virtual void OnRejected(int64_t /*source_tag*/, SimTime /*now*/) {}

 protected:
  RequestInput next_;
  bool has_next_ = false;
};

[[nodiscard]] std::unique_ptr<RequestSource> MakeRequestSource(const Workload& workload,
                                                               uint64_t seed);

}  // namespace tokensim
