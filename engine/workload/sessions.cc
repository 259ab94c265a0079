#include "engine/workload/sessions.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "engine/base/invariant.h"
#include "engine/base/rng.h"
#include "engine/workload/arrival_process.h"
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
bool AddTurn(const LengthDraw& lengths, int64_t prefix, int64_t limit, SimTime wait,
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
    const LengthDraw lengths = drawer_.DrawLengths(session->client_class, &session->content);
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
      const LengthDraw lengths = drawer_.DrawLengths(session->client_class, &unused);
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
               seed, "think"),
        process_(workload.arrivals.process->Make({workload, seed})) {}

  void Make(Session* session) override {
    SetClient(&drawer_, session);
    const auto first = static_cast<size_t>(links_.first[index_]);
    const int64_t number = links_.number[first];
    session->conversation = number < 0 ? -1 : cycle_ * links_.conversations + number;
    SimTime wait = 0;
    for (auto row = static_cast<int64_t>(first); row >= 0;) {
      const auto i = static_cast<size_t>(row);
      const LengthDraw lengths = {trace_->input_tokens[i], trace_->output_tokens[i]};
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
  [[nodiscard]] std::span<const int64_t> first_rows() const override { return links_.first; }

 private:
  // The gap between the rows, where times are known.
  SimTime Wait(size_t row, size_t next_row) {
    if (trace_->arrival.empty()) return think_.Next();
    return process_->TraceGap(trace_->arrival[next_row] - trace_->arrival[row]);
  }

  std::shared_ptr<const TraceTable> trace_;
  TraceLinks links_;
  int64_t limit_;
  RequestDrawer drawer_;
  DurationSampler think_;
  std::unique_ptr<ArrivalProcess> process_;  // for what a time of the trace takes in it
  size_t index_ = 0;                         // in links_.first
  int64_t cycle_ = 0;
};

}  // namespace

std::unique_ptr<SessionMaker> MakeSessionMaker(const Workload& workload, uint64_t seed) {
  if (workload.uses_trace_conversations()) {
    return std::make_unique<TraceConversations>(workload, seed);
  }
  if (workload.conversations) return std::make_unique<DrawnConversations>(workload, seed);
  return std::make_unique<SingleRequests>(workload, seed);
}

}  // namespace tokensim
