// Closed loops and conversations, driven by a server that takes a random time for each request.
#include "engine/workload/session_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "engine/base/invariant.h"
#include "engine/base/rng.h"
#include "engine/workload/test_draws.h"

namespace tokensim {
namespace {

struct Served {
  RequestInput input;
  SimTime end = 0;
};

// Serves every request at once in a time from `min` to `max`; rejects those above `max_tokens`.
struct FakeServer {
  SimTime min = 1;
  SimTime max = 1;
  int64_t max_tokens = std::numeric_limits<int64_t>::max();
  uint64_t seed = 1;

  // The requests in the order of their arrival, and the most in the system at once.
  std::vector<Served> Run(const Workload& workload, int64_t* most = nullptr) {
    RngStream rng(seed, "server");
    auto source = MakeRequestSource(workload, kSeed);
    EXPECT_TRUE(source->reactive());
    std::vector<Served> served;
    std::map<std::pair<SimTime, size_t>, int64_t> running;  // by end: tag
    std::set<int64_t> tags;
    SimTime now = 0;
    while (source->Peek() != nullptr || !running.empty()) {
      const RequestInput* next = source->Peek();
      if (next != nullptr && (running.empty() || next->arrival <= running.begin()->first.first)) {
        EXPECT_GE(next->arrival, now) << "arrivals are in order, and not before what caused them";
        now = next->arrival;
        const RequestInput request = *next;
        source->Pop();
        const bool rejected = int64_t{request.input_tokens} + request.output_tokens > max_tokens;
        const SimTime took =
            rejected ? 0
                     : min + static_cast<SimTime>(rng.Below(static_cast<uint64_t>(max - min + 1)));
        served.push_back({request, now + took});
        if (rejected) {
          tags.erase(request.source_tag);
          source->OnRejected(request.source_tag, now);
          continue;
        }
        EXPECT_TRUE(tags.insert(request.source_tag).second) << "tags are unique in the system";
        running.emplace(std::pair(now + took, served.size()), request.source_tag);
        if (most != nullptr) *most = std::max<int64_t>(*most, static_cast<int64_t>(running.size()));
        continue;
      }
      now = running.begin()->first.first;
      const int64_t tag = running.begin()->second;
      running.erase(running.begin());
      tags.erase(tag);
      source->OnEnded(tag, now);
    }
    return served;
  }
};

constexpr SimTime kSecond = kNanosPerSecond;

IndependentLengths SomeLengths() { return {UniformLength{1, 400}, UniformLength{1, 300}}; }

Workload Conversing(int64_t num_requests, Arrivals arrivals, ConversationConfig config = {}) {
  Workload workload = Make(num_requests, std::move(arrivals), SomeLengths());
  workload.conversations = config;
  return workload;
}

// The turns of each conversation in order.
std::map<int64_t, std::vector<Served>> ByConversation(const std::vector<Served>& served) {
  std::map<int64_t, std::vector<Served>> conversations;
  for (const Served& s : served) conversations[s.input.conversation].push_back(s);
  return conversations;
}

// ---- Closed loop

TEST(ClosedLoop, NeverMoreThanItsUsers) {
  for (const int64_t users : {1, 7, 64}) {
    int64_t most = 0;
    const auto served = FakeServer{kSecond / 2, 2 * kSecond}.Run(
        Make(2000, ClosedLoopArrivals{users, FixedDuration{1}, 0}, SomeLengths()), &most);
    EXPECT_EQ(served.size(), 2000u);
    EXPECT_LE(most, users);
    for (int64_t i = 0; i < users; ++i) {
      EXPECT_EQ(served[static_cast<size_t>(i)].input.arrival, 0) << "all users begin at once";
    }
    // Each arrival after the first of its user is one think time after an end.
    std::multiset<SimTime> starts;
    for (const Served& s : served) starts.insert(s.end + kSecond);
    for (size_t i = static_cast<size_t>(users); i < served.size(); ++i) {
      const auto cause = starts.find(served[i].input.arrival);
      ASSERT_NE(cause, starts.end()) << i;
      starts.erase(cause);
    }
  }
}

TEST(ClosedLoop, OneUserWithoutThinkTimeIsBackToBack) {
  const auto served =
      FakeServer{kSecond, 3 * kSecond}.Run(Make(100, ClosedLoopArrivals{1, FixedDuration{0}, 0}));
  for (size_t i = 1; i < served.size(); ++i) {
    ASSERT_EQ(served[i].input.arrival, served[i - 1].end);
  }
}

TEST(ClosedLoop, ThinkTimesHaveTheirMean) {
  const auto mean_gap = [](const DurationDistribution& think) {
    const auto served =
        FakeServer{kSecond, kSecond}.Run(Make(20'000, ClosedLoopArrivals{1, think, 0}));
    return ToSeconds(served.back().input.arrival) / 19'999 - 1;
  };
  EXPECT_NEAR(mean_gap(ExponentialDuration{5}), 5, 0.15);
  EXPECT_NEAR(mean_gap(UniformDuration{2, 4}), 3, 0.02);
  EXPECT_NEAR(mean_gap(FixedDuration{0.25}), 0.25, 1e-9);
}

TEST(ClosedLoop, UsersBeginDuringTheRamp) {
  constexpr int64_t kUsers = 10'000;
  const auto served = FakeServer{1000 * kSecond, 1000 * kSecond}.Run(
      Make(kUsers, ClosedLoopArrivals{kUsers, FixedDuration{0}, 100}));
  EXPECT_LE(served.back().input.arrival, 100 * kSecond);
  EXPECT_GT(served.back().input.arrival, 99 * kSecond);
  EXPECT_NEAR(ToSeconds(served[kUsers / 4].input.arrival), 25, 2);
}

TEST(ClosedLoop, ContentsDoNotDependOnTheServer) {
  const Workload workload =
      Make(3000, ClosedLoopArrivals{20, ExponentialDuration{2}, 5}, SomeLengths());
  const auto slow = FakeServer{kSecond, 9 * kSecond}.Run(workload);
  const auto fast = FakeServer{1, kSecond, std::numeric_limits<int64_t>::max(), 5}.Run(workload);
  ASSERT_EQ(slow.size(), fast.size());
  for (size_t i = 0; i < slow.size(); ++i) {
    ASSERT_EQ(slow[i].input.input_tokens, fast[i].input.input_tokens) << i;
    ASSERT_EQ(slow[i].input.output_tokens, fast[i].input.output_tokens) << i;
    ASSERT_EQ(slow[i].input.conversation, -1);
  }
}

TEST(ClosedLoop, AnEarlierRequestTakesThePlaceOfTheOnePeekedAt) {
  Workload workload = Make(10, ClosedLoopArrivals{2, FixedDuration{10}, 0}, SomeLengths());
  auto source = MakeRequestSource(workload, kSeed);
  const int64_t a = source->Peek()->source_tag;
  source->Pop();
  const int64_t b = source->Peek()->source_tag;
  source->Pop();
  EXPECT_EQ(source->Peek(), nullptr) << "both users wait";
  source->OnEnded(b, 5 * kSecond);
  ASSERT_NE(source->Peek(), nullptr);
  EXPECT_EQ(source->Peek()->arrival, 15 * kSecond);
  const int32_t input = source->Peek()->input_tokens;
  source->OnRejected(a, 5 * kSecond);  // users outlive rejections
  EXPECT_EQ(source->Peek()->arrival, 15 * kSecond);
  source->Pop();
  EXPECT_EQ(source->Peek()->arrival, 15 * kSecond);
  EXPECT_EQ(Inputs(Draw(Make(3, ConstantArrivals{1}, SomeLengths())))[2], input);
}

TEST(ClosedLoop, WrongTagsAreInvariantErrors) {
  auto source = MakeRequestSource(Make(10, ClosedLoopArrivals{2, FixedDuration{10}, 0}), kSeed);
  const int64_t tag = source->Peek()->source_tag;
  EXPECT_THROW(source->OnEnded(tag, 0), InvariantError) << "not sent yet";
  source->Pop();
  EXPECT_THROW(source->OnEnded(-1, 0), InvariantError);
  EXPECT_THROW(source->OnEnded(1000, 0), InvariantError);
  source->OnEnded(tag, 0);
  EXPECT_THROW(source->OnEnded(tag, 0), InvariantError) << "twice";
}

// ---- Conversations

TEST(Conversations, HistoryGrowsTurnByTurn) {
  ConversationConfig config;
  config.think_time = UniformDuration{2, 3};
  const auto served =
      FakeServer{kSecond, 20 * kSecond}.Run(Conversing(20'000, PoissonArrivals{3}, config));
  EXPECT_EQ(served.size(), 20'000u);
  size_t open = 0;
  for (const auto& [id, turns] : ByConversation(served)) {
    ASSERT_GE(id, 0);
    for (size_t i = 0; i < turns.size(); ++i) {
      const RequestInput& turn = turns[i].input;
      ASSERT_EQ(turn.turn, static_cast<int32_t>(i));
      if (i == 0) {
        ASSERT_LE(turn.input_tokens, 400);
        continue;
      }
      const RequestInput& before = turns[i - 1].input;
      const int32_t added = turn.input_tokens - before.input_tokens - before.output_tokens;
      ASSERT_TRUE(added >= 1 && added <= 400) << added;
      ASSERT_GE(turn.arrival, turns[i - 1].end + 2 * kSecond);
      ASSERT_LE(turn.arrival, turns[i - 1].end + 3 * kSecond);
      ASSERT_FALSE(before.last_turn);
    }
    open += turns.back().input.last_turn ? 0 : 1;
  }
  EXPECT_LT(open, 500u) << "only those cut by the end of the run lack their last turn";
}

TEST(Conversations, HalfHaveOneTurnTheOthersTwoToSeven) {
  const auto served = FakeServer{1, 1}.Run(Conversing(200'000, PoissonArrivals{0.01}));
  std::map<size_t, double> count;
  double all = 0;
  for (const auto& [id, turns] : ByConversation(served)) {
    ++count[turns.size()];
    ++all;
  }
  EXPECT_NEAR(all, 200'000 / 2.75, 500);  // mean turns: (1 + 4.5) / 2
  EXPECT_NEAR(count[1] / all, 0.5, 0.01);
  for (size_t turns = 2; turns <= 7; ++turns) EXPECT_NEAR(count[turns] / all, 0.5 / 6, 0.005);
  EXPECT_EQ(count.size(), 7u);
}

TEST(Conversations, ContentsDoNotDependOnTheServer) {
  Workload workload = Conversing(5000, PoissonArrivals{3});
  workload.prefix_groups = PrefixGroupConfig{5, 64, 0};
  const auto contents = [&](FakeServer server) {
    std::map<std::pair<int64_t, int32_t>, std::tuple<int32_t, int32_t, uint64_t>> by_turn;
    for (const Served& s : server.Run(workload)) {
      by_turn[{s.input.conversation, s.input.turn}] = {s.input.input_tokens, s.input.output_tokens,
                                                       s.input.content.prefix_group};
    }
    return by_turn;
  };
  const auto slow = contents({kSecond, 60 * kSecond});
  const auto fast = contents({1, 1});
  int64_t both = 0;
  for (const auto& [key, content] : fast) {
    const auto other = slow.find(key);
    if (other == slow.end()) continue;  // of a conversation at the end of the run
    ASSERT_EQ(other->second, content);
    ++both;
  }
  EXPECT_GT(both, 4500);
}

// Turns of 100 + 50 tokens: the second has 250 + 50, the third 400 + 50.
TEST(Conversations, ATurnMayReachTheContextExactly) {
  ConversationConfig config;
  config.single_turn_share = 0;
  config.min_turns = config.max_turns = 4;
  config.think_time = FixedDuration{1};
  Workload workload =
      Make(30, ConstantArrivals{0.001}, IndependentLengths{FixedLength{100}, FixedLength{50}});
  for (const auto& [limit, turns] : {std::pair(450, 3u), std::pair(449, 2u), std::pair(451, 3u)}) {
    config.max_context_tokens = limit;
    workload.conversations = config;
    EXPECT_EQ(ByConversation(FakeServer{1, 1}.Run(workload))[0].size(), turns) << limit;
  }
}

// The second arrival is known before the second turn of the first conversation, so it goes first.
TEST(Conversations, EqualTimesGoInTheOrderTheyBecameKnown) {
  ConversationConfig config;
  config.single_turn_share = 0;
  config.min_turns = config.max_turns = 2;
  config.think_time = FixedDuration{1};
  Workload workload = Make(4, ConstantArrivals{0.5});
  workload.conversations = config;
  auto source = MakeRequestSource(workload, kSeed);
  const int64_t first = source->Peek()->source_tag;
  source->Pop();
  source->OnEnded(first, kSecond);  // its next turn is at 2 s
  ASSERT_EQ(source->Peek()->arrival, 2 * kSecond);
  EXPECT_EQ(source->Peek()->conversation, 1);
  source->Pop();
  ASSERT_EQ(source->Peek()->arrival, 2 * kSecond);
  EXPECT_EQ(source->Peek()->conversation, 0);
  EXPECT_EQ(source->Peek()->turn, 1);
}

TEST(Conversations, EndBeforeTheContextIsExceeded) {
  ConversationConfig config;
  config.single_turn_share = 0;
  config.min_turns = config.max_turns = 100;
  config.think_time = FixedDuration{1};
  config.max_context_tokens = 1500;
  const auto served = FakeServer{1, 5}.Run(Conversing(5000, PoissonArrivals{0.001}, config));
  for (const auto& [id, turns] : ByConversation(served)) {
    const RequestInput& last = turns.back().input;
    ASSERT_LE(last.input_tokens + last.output_tokens, 1500);
    // One more turn has at most 400 + 300 tokens.
    if (!last.last_turn) continue;
    ASSERT_GT(last.input_tokens + last.output_tokens, 1500 - 700);
  }
  EXPECT_GT(ByConversation(served).size(), 500u);
}

TEST(Conversations, ContextsStayIn32Bits) {
  ConversationConfig config;
  config.single_turn_share = 0;
  config.min_turns = config.max_turns = 50;
  Workload workload = Conversing(200, PoissonArrivals{1}, config);
  workload.lengths = IndependentLengths{FixedLength{900'000'000}, FixedLength{900'000'000}};
  for (const Served& s : FakeServer{1, 1}.Run(workload)) {
    ASSERT_EQ(s.input.turn, 0) << "a second turn would have 3.6e9 tokens";
    ASSERT_TRUE(s.input.last_turn);
  }
}

TEST(Conversations, ARejectedTurnIsTheLast) {
  ConversationConfig config;
  config.single_turn_share = 0;
  const auto served = FakeServer{1, 1, 1000}.Run(Conversing(5000, PoissonArrivals{1}, config));
  EXPECT_EQ(served.size(), 5000u);
  int64_t rejected = 0;
  for (const auto& [id, turns] : ByConversation(served)) {
    for (size_t i = 0; i < turns.size(); ++i) {
      const bool too_long = turns[i].input.input_tokens + turns[i].input.output_tokens > 1000;
      rejected += too_long ? 1 : 0;
      ASSERT_TRUE(!too_long || i + 1 == turns.size());
    }
  }
  EXPECT_GT(rejected, 500);
}

TEST(Conversations, AUserHoldsOneConversationAtATime) {
  constexpr int64_t kUsers = 5;
  ConversationConfig config;
  config.think_time = FixedDuration{1};
  int64_t most = 0;
  const auto served = FakeServer{kSecond, 4 * kSecond}.Run(
      Conversing(4000, ClosedLoopArrivals{kUsers, FixedDuration{30}, 0}, config), &most);
  EXPECT_LE(most, kUsers);
  // Conversations overlap at most kUsers deep.
  std::vector<std::pair<SimTime, int>> edges;
  for (const auto& [id, turns] : ByConversation(served)) {
    edges.emplace_back(turns.front().input.arrival, 1);
    edges.emplace_back(turns.back().end, -1);
  }
  std::sort(edges.begin(), edges.end());
  int64_t open = 0;
  for (const auto& [time, change] : edges) {
    open += change;
    ASSERT_LE(open, kUsers);
  }
}

TEST(Conversations, FirstTurnsKeepTheArrivalProcess) {
  const auto plain = Times(Draw(Make(1000, PoissonArrivals{3}, SomeLengths())));
  const auto conversations =
      ByConversation(FakeServer{1, kSecond}.Run(Conversing(1000, PoissonArrivals{3})));
  for (const auto& [id, turns] : conversations) {
    ASSERT_EQ(turns[0].input.arrival, plain[static_cast<size_t>(id)]);
  }
}

TEST(Conversations, MoreRequestsExtendTheSameRun) {
  const auto short_run = FakeServer{1, kSecond}.Run(Conversing(500, PoissonArrivals{3}));
  const auto long_run = FakeServer{1, kSecond}.Run(Conversing(2000, PoissonArrivals{3}));
  for (size_t i = 0; i < short_run.size(); ++i) {
    ASSERT_EQ(short_run[i].input.arrival, long_run[i].input.arrival) << i;
    ASSERT_EQ(short_run[i].input.input_tokens, long_run[i].input.input_tokens) << i;
  }
}

// ---- Conversations of a trace

// Two conversations, 7 and 9, and a request of none.
TraceTable ConversationTrace() {
  TraceTable trace;
  trace.arrival = {0, 2 * kSecond, 3 * kSecond, 9 * kSecond, 10 * kSecond};
  trace.input_tokens = {10, 20, 30, 40, 50};
  trace.output_tokens = {1, 2, 3, 4, 5};
  trace.conversation = {7, 9, -1, 7, 7};
  return trace;
}

using Row = std::tuple<SimTime, int64_t, int32_t, int32_t, bool>;
std::vector<Row> Rows(const std::vector<Served>& served) {
  std::vector<Row> rows;
  for (const Served& s : served) {
    rows.emplace_back(s.input.arrival, s.input.conversation, s.input.turn, s.input.input_tokens,
                      s.input.last_turn);
  }
  return rows;
}

TEST(TraceConversations, RowsAreTurnsAndWaitForTheOneBefore) {
  const auto served = FakeServer{kSecond, kSecond}.Run(
      Make(5, TraceArrivals{1}, TraceLengths{}, ConversationTrace()));
  EXPECT_EQ(Rows(served), (std::vector<Row>{
                              {0, 0, 0, 10, false},
                              {2 * kSecond, 1, 0, 20, true},
                              {3 * kSecond, -1, 0, 30, true},
                              {10 * kSecond, 0, 1, 10 + 1 + 40, false},  // end 1 s + gap 9 s
                              {12 * kSecond, 0, 2, 51 + 4 + 50, true},
                          }));
}

TEST(TraceConversations, SpeedupAndRepetition) {
  const auto served =
      FakeServer{0, 0}.Run(Make(15, TraceArrivals{2}, TraceLengths{}, ConversationTrace()));
  ASSERT_EQ(served.size(), 15u);
  EXPECT_EQ(served[3].input.arrival, 9 * kSecond / 2);
  // Span 10 s and mean gap 2.5 s at twice the speed.
  EXPECT_EQ(served[5].input.arrival, 6'250'000'000);
  EXPECT_EQ(served[5].input.conversation, 2) << "another conversation than the first time";
  EXPECT_EQ(served[5].input.input_tokens, 10);
  EXPECT_EQ(served[10].input.arrival, 12'500'000'000);
  EXPECT_EQ(served[10].input.conversation, 4);
}

TEST(TraceConversations, WithoutTimesTurnsWaitTheThinkTime) {
  TraceTable trace = ConversationTrace();
  trace.arrival.clear();
  Workload workload = Make(5, ConstantArrivals{1}, TraceLengths{}, trace);
  workload.conversations = ConversationConfig{};
  workload.conversations->think_time = FixedDuration{100};
  const auto served = FakeServer{kSecond, kSecond}.Run(workload);
  ASSERT_EQ(served.size(), 5u);
  EXPECT_EQ(served[2].input.arrival, 2 * kSecond);
  EXPECT_EQ(served[3].input.arrival, 101 * kSecond);
  EXPECT_EQ(served[4].input.arrival, 202 * kSecond);
}

TEST(TraceConversations, SlowServersDoNotBringTheTraceAgain) {
  // 100 s each: the second turn comes long after the trace's period.
  const auto served = FakeServer{100 * kSecond, 100 * kSecond}.Run(
      Make(5, TraceArrivals{1}, TraceLengths{}, ConversationTrace()));
  ASSERT_EQ(served.size(), 5u);
  EXPECT_EQ(served[4].input.turn, 2);
}

TEST(TraceConversations, RejectedTurnsEndThem) {
  const auto served =
      FakeServer{1, 1, 52}.Run(Make(5, TraceArrivals{1}, TraceLengths{}, ConversationTrace()));
  EXPECT_EQ(served.size(), 4u) << "the third turn of conversation 7 never comes";
}

TEST(TraceConversations, TheTraceComesAgainForThoseThatAreLeft) {
  const auto served =
      FakeServer{1, 1}.Run(Make(6, TraceArrivals{1}, TraceLengths{}, ConversationTrace()));
  ASSERT_EQ(served.size(), 6u);
  EXPECT_EQ(served[5].input.conversation, 2);
}

// Conversation 7 ends with its second turn, which is rejected: there is nothing else to begin.
TEST(TraceConversations, AUserBeginsNoMoreOfThemThanTheTraceHas) {
  const auto served = FakeServer{1, 1, 52}.Run(
      Make(5, ClosedLoopArrivals{1, FixedDuration{1}, 0}, TraceLengths{}, ConversationTrace()));
  EXPECT_EQ(served.size(), 4u);
}

TEST(SessionDuration, NothingArrivesAtItsEndOrLater) {
  const IndependentLengths lengths{FixedLength{1}, FixedLength{1}};
  Workload loop = Make(1, ClosedLoopArrivals{.users = 3, .think_time = FixedDuration{1}}, lengths);
  // A request a user every 4 s: at 0, 4, 8, and 12 is too late.
  loop.duration = 12 * kNanosPerSecond;
  FakeServer server{.min = 3 * kNanosPerSecond, .max = 3 * kNanosPerSecond};
  EXPECT_EQ(server.Run(loop).size(), 9u);
  ++loop.duration;  // 12 is in time now
  EXPECT_EQ(server.Run(loop).size(), 12u);

  Workload chats = Make(1, ConstantArrivals{1}, lengths);
  chats.duration = 10 * kNanosPerSecond;
  chats.conversations = ConversationConfig{
      .single_turn_share = 0, .min_turns = 3, .max_turns = 3, .think_time = FixedDuration{1}};
  // Begun at 0 .. 9, each with later turns after 4 and 8 s: those of the first six, of the first two.
  std::vector<Served> served = server.Run(chats);
  EXPECT_EQ(served.size(), 10u + 6 + 2);
  for (const Served& s : served) EXPECT_LT(s.input.arrival, chats.duration);
}

TEST(SessionDuration, EndsALoopWhoseRequestsAreRejectedAtOnce) {
  Workload loop = Make(5, ClosedLoopArrivals{.users = 3});
  loop.duration = kNanosPerSecond;
  FakeServer server{.max_tokens = 0};
  EXPECT_EQ(static_cast<int64_t>(server.Run(loop).size()), loop.most_requests());
}

}  // namespace
}  // namespace tokensim
