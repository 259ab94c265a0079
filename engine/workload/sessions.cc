#include "engine/workload/sessions.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "engine/base/invariant.h"
#include "engine/base/rng.h"
#include "engine/workload/arrivals.h"
#include "engine/workload/durations.h"
#include "engine/workload/request_drawer.h"

namespace tokensim {
namespace {

constexpr int64_t kMaxContext = 2'000'000'000;  // input + output fit an int32

// The longest context a conversation may grow to.
int64_t ContextLimit(const Workload& workload) {
  const int64_t limit = workload.conversations ? workload.conversations->max_context_tokens : 0;
  return limit > 0 ? std::min(limit, kMaxContext) : kMaxContext;
}

// Adds a turn with `input` new tokens; false when its context would exceed the limit. The first
// turn always has room: whether it can be served is not known here.
bool AddTurn(const LengthPair& lengths, int64_t prefix, int64_t limit, SimTime wait,
             std::vector<Turn>* turns) {
  const int64_t history = turns->empty() ? prefix : turns->back().input + turns->back().output;
  const int64_t input = history + lengths.input;
  if (!turns->empty() && input + lengths.output > limit) return false;
  turns->push_back({static_cast<int32_t>(input), lengths.output, wait});
  return true;
}

void SetClient(RequestDrawer* drawer, Session* session) {
  RequestInput client;
  drawer->DrawClient(&client);
  session->client_class = client.client_class;
  session->content = client.content;
  session->turns.clear();
  session->turn = 0;
}

// Single requests.
class SingleRequests final : public SessionMaker {
 public:
  SingleRequests(const Workload& workload, uint64_t seed) : drawer_(workload, seed) {}

  void Make(Session* session) override {
    SetClient(&drawer_, session);
    const LengthPair lengths = drawer_.DrawLengths(session->client_class, &session->content);
    AddTurn(lengths, session->content.prefix_tokens, kMaxContext, 0, &session->turns);
  }

 private:
  RequestDrawer drawer_;
};

// Conversations of a random number of turns. Streams "conversation" and "think".
class DrawnConversations final : public SessionMaker {
 public:
  DrawnConversations(const Workload& workload, uint64_t seed)
      : config_(*workload.conversations),
        limit_(ContextLimit(workload)),
        drawer_(workload, seed),
        turns_rng_(seed, "conversation"),
        think_(config_.think_time, seed, "think") {}

  void Make(Session* session) override {
    SetClient(&drawer_, session);
    session->conversation = next_++;
    const int64_t prefix = session->content.prefix_tokens;
    const int32_t turns = DrawTurns();
    PromptContent unused;  // ids of single prompts say nothing of prompts that grow
    for (int32_t i = 0; i < turns; ++i) {
      const LengthPair lengths = drawer_.DrawLengths(session->client_class, &unused);
      const SimTime wait = i == 0 ? 0 : think_.Next();
      if (!AddTurn(lengths, prefix, limit_, wait, &session->turns)) break;
    }
  }

 private:
  int32_t DrawTurns() {
    if (turns_rng_.Uniform() < config_.single_turn_share) return 1;
    const auto choices = static_cast<uint64_t>(config_.max_turns - config_.min_turns + 1);
    return config_.min_turns + static_cast<int32_t>(turns_rng_.Below(choices));
  }

  ConversationConfig config_;
  int64_t limit_;
  RequestDrawer drawer_;
  RngStream turns_rng_;
  DurationSampler think_;
  int64_t next_ = 0;
};

// The conversations of a trace: for each row, the row of the next turn.
struct TraceLinks {
  explicit TraceLinks(const TraceTable& trace)
      : next(trace.conversation.size(), -1), number(trace.conversation.size(), -1) {
    std::unordered_map<int64_t, int64_t> last;  // row of each conversation; looked up only
    for (int64_t row = 0; row < trace.size(); ++row) {
      const auto index = static_cast<size_t>(row);
      const int64_t id = trace.conversation[index];
      const auto [entry, is_new] = last.try_emplace(id, row);
      if (id >= 0 && !is_new) {
        next[static_cast<size_t>(entry->second)] = row;
        entry->second = row;
        continue;
      }
      first.push_back(row);
      if (id >= 0) number[index] = conversations++;
    }
  }

  std::vector<int64_t> next;    // -1: none
  std::vector<int64_t> number;  // of the conversation that begins in the row; -1: none
  std::vector<int64_t> first;   // rows that begin a conversation or belong to none
  int64_t conversations = 0;
};

class TraceConversations final : public SessionMaker {
 public:
  TraceConversations(const Workload& workload, uint64_t seed)
      : trace_(workload.trace),
        links_(*trace_),
        limit_(ContextLimit(workload)),
        drawer_(workload, seed),
        think_(workload.conversations ? workload.conversations->think_time
                                      : DurationDistribution(ExponentialDuration{10}),
               seed, "think") {
    if (const auto* replay = std::get_if<TraceArrivals>(&workload.arrivals)) {
      speedup_ = replay->speedup;
    }
  }

  void Make(Session* session) override {
    SetClient(&drawer_, session);
    const auto first = static_cast<size_t>(links_.first[index_]);
    const int64_t number = links_.number[first];
    session->conversation = number < 0 ? -1 : cycle_ * links_.conversations + number;
    SimTime wait = 0;
    for (auto row = static_cast<int64_t>(first); row >= 0;) {
      const auto i = static_cast<size_t>(row);
      const LengthPair lengths = {trace_->input_tokens[i], trace_->output_tokens[i]};
      if (!AddTurn(lengths, session->content.prefix_tokens, limit_, wait, &session->turns)) break;
      row = links_.next[i];
      if (row >= 0) wait = Wait(i, static_cast<size_t>(row));
    }
    if (++index_ < links_.first.size()) return;
    index_ = 0;
    ++cycle_;
  }

  [[nodiscard]] int64_t MostSessions(int64_t num_requests) const override {
    const int64_t rows = trace_->size();
    const int64_t cycles = (num_requests + rows - 1) / rows;
    return cycles * static_cast<int64_t>(links_.first.size());
  }

 private:
  // The gap between the rows, where times are known.
  SimTime Wait(size_t row, size_t next_row) {
    if (trace_->arrival.empty()) return think_.Next();
    return Replayed(trace_->arrival[next_row] - trace_->arrival[row], speedup_);
  }

  std::shared_ptr<const TraceTable> trace_;
  TraceLinks links_;
  int64_t limit_;
  RequestDrawer drawer_;
  DurationSampler think_;
  double speedup_ = 1;
  size_t index_ = 0;  // in links_.first
  int64_t cycle_ = 0;
};

// The times of the rows that begin a conversation; repeats like TraceProcess.
class FirstRowTimes final : public SessionTimes {
 public:
  FirstRowTimes(const TraceArrivals& config, const TraceTable& trace)
      : speedup_(config.speedup), period_(TracePeriod(trace)) {
    for (const int64_t row : TraceLinks(trace).first) {
      times_.push_back(trace.arrival[static_cast<size_t>(row)]);
    }
  }

  SimTime Next() override {
    if (index_ == times_.size()) {
      index_ = 0;
      cycle_start_ = SaturatingAdd(cycle_start_, period_);
    }
    return Replayed(SaturatingAdd(cycle_start_, times_[index_++]), speedup_);
  }

 private:
  double speedup_;
  SimTime period_;
  std::vector<SimTime> times_;
  size_t index_ = 0;
  SimTime cycle_start_ = 0;
};

template <typename Process>
class ProcessTimes final : public SessionTimes {
 public:
  explicit ProcessTimes(Process process) : process_(std::move(process)) {}
  SimTime Next() override { return process_.Next(); }

 private:
  Process process_;
};

}  // namespace

bool UsesTraceConversations(const Workload& workload) {
  const auto* lengths = std::get_if<TraceLengths>(&workload.lengths);
  return lengths != nullptr && !lengths->resample && workload.trace != nullptr &&
         !workload.trace->conversation.empty();
}

std::unique_ptr<SessionMaker> MakeSessionMaker(const Workload& workload, uint64_t seed) {
  if (UsesTraceConversations(workload)) {
    return std::make_unique<TraceConversations>(workload, seed);
  }
  if (workload.conversations) return std::make_unique<DrawnConversations>(workload, seed);
  return std::make_unique<SingleRequests>(workload, seed);
}

std::unique_ptr<SessionTimes> MakeSessionTimes(const Workload& workload, uint64_t seed) {
  const auto* replay = std::get_if<TraceArrivals>(&workload.arrivals);
  if (replay != nullptr && UsesTraceConversations(workload)) {
    return std::make_unique<FirstRowTimes>(*replay, *workload.trace);
  }
  return VisitArrivals(workload, seed, [](auto process) -> std::unique_ptr<SessionTimes> {
    return std::make_unique<ProcessTimes<decltype(process)>>(std::move(process));
  });
}

}  // namespace tokensim
