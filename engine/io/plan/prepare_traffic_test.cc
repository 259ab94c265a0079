// What PrepareSpec says about bursty and closed-loop arrivals, conversations, prefix groups, client
// classes and what a trace says of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/io/plan/test_specs.h"
#include "engine/workload/arrival_process.h"
#include "engine/workload/length_source.h"

namespace tokensim {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kArrival[] = "workload.arrival";
constexpr char kConversations[] = "workload.conversations";
constexpr char kGroups[] = "workload.prefix_groups";
constexpr char kClasses[] = "workload.classes";

Workload Compiled(const Changes& changes) {
  const PreparedSpec prepared = PrepareChanged(changes);
  EXPECT_TRUE(prepared.ok()) << Texts(prepared).front();
  EXPECT_THAT(Texts(prepared), IsEmpty());
  // The resolved spec says the same.
  const PreparedSpec again = PrepareSpec(prepared.resolved, TracePolicy::NoPaths());
  EXPECT_EQ(again.digest, prepared.digest);
  EXPECT_THAT(Texts(again), IsEmpty());
  return prepared.ok() ? prepared.plan->workload : Workload();
}

TEST(PrepareArrivalTest, GammaAndWeibull) {
  EXPECT_THAT(FindingsOf({{kArrival, "{gamma: {}}"}}),
              ElementsAre("ERROR workload.arrival.gamma.rate_per_second: is missing: requests per "
                          "second",
                          "ERROR workload.arrival.gamma.cv: is missing: standard deviation of a "
                          "gap over its mean"));
  EXPECT_THAT(FindingsOf({{kArrival, "{gamma: {rate_per_second: 1, cv: 0}}"}}),
              ElementsAre("ERROR workload.arrival.gamma.cv: is 0; it must be above 0 and at most "
                          "100"));
  EXPECT_THAT(FindingsOf({{kArrival, "{weibull: {rate_per_second: 1, cv: 0.001}}"}}),
              ElementsAre("ERROR workload.arrival.weibull.cv: is 0.001; allowed are 0.01 .. 100"));
  EXPECT_THAT(FindingsOf({{kArrival, "{weibull: {rate_per_second: 1, cv: .nan}}"}}),
              ElementsAre(HasSubstr("weibull.cv: is .nan; allowed are 0.01 .. 100")));
  const auto gamma =
      Compiled({{kArrival, "{gamma: {rate_per_second: 3, cv: 2}}"}}).arrivals.process;
  EXPECT_EQ(gamma->name(), "gamma");
  EXPECT_EQ(gamma->values().real("rate_per_second"), 3);
  EXPECT_EQ(gamma->values().real("cv"), 2);
  const auto weibull =
      Compiled({{kArrival, "{weibull: {rate_per_second: 3, cv: 2}}"}}).arrivals.process;
  EXPECT_EQ(weibull->name(), "weibull");
  EXPECT_EQ(weibull->values().real("cv"), 2);
}

TEST(PrepareArrivalTest, Piecewise) {
  const auto findings = [](const std::string& segments, const std::string& repeat = "false") {
    return FindingsOf(
        {{kArrival, "{piecewise: {segments: " + segments + ", repeat: " + repeat + "}}"}});
  };
  EXPECT_THAT(findings("[]"),
              ElementsAre("ERROR workload.arrival.piecewise.segments: has 0 entries; allowed are "
                          "1 .. 10,000"));
  EXPECT_THAT(findings("[{duration_seconds: 5, start_rate_per_second: 1}, {}]"),
              ElementsAre(HasSubstr("segments[1].duration_seconds: is missing"),
                          HasSubstr("segments[1].start_rate_per_second: is missing")));
  EXPECT_THAT(
      findings("[{duration_seconds: 0, start_rate_per_second: -1}]"),
      ElementsAre(HasSubstr("segments[0].duration_seconds: is 0; it must be above 0"),
                  HasSubstr("segments[0].start_rate_per_second: is -1; allowed are 0 .. 1e+09")));
  const std::string ramp =
      "[{duration_seconds: 5, start_rate_per_second: 1, end_rate_per_second: 0}]";
  EXPECT_THAT(findings(ramp),
              ElementsAre("ERROR workload.arrival.piecewise.segments[0].end_rate_per_second: is 0 "
                          "and stays: the last requests might never come; give a rate or set "
                          "repeat"));
  EXPECT_THAT(findings(ramp, "true"), IsEmpty());
  EXPECT_THAT(findings("[{duration_seconds: 5, start_rate_per_second: 0}]", "true"),
              ElementsAre("ERROR workload.arrival.piecewise.segments: have no rate above 0"));
  EXPECT_THAT(findings("[{duration_seconds: 5, start_rate_per_second: 1e-9}]"),
              ElementsAre("ERROR workload.arrival.piecewise.segments: are too long or too slow: "
                          "the last request would arrive after 126 years"));
  // 100 requests, one in 3.3e7 or 5e7 s.
  EXPECT_THAT(findings("[{duration_seconds: 1, start_rate_per_second: 3e-8}]", "true"), IsEmpty());
  EXPECT_THAT(findings("[{duration_seconds: 1, start_rate_per_second: 2e-8}]", "true"),
              ElementsAre(HasSubstr("are too long or too slow")));
  const Arrivals compiled =
      Compiled({{kArrival,
                 "{piecewise: {segments: [{duration_seconds: 2min, start_rate_per_second: 3}, "
                 "{duration_seconds: 1, start_rate_per_second: 3, end_rate_per_second: 1}]}}"}})
          .arrivals;
  ASSERT_EQ(compiled.segments.size(), 2u);
  EXPECT_EQ(compiled.segments[0].duration_seconds, 120);
  EXPECT_EQ(compiled.segments[0].end_rate, 3) << "by default its start rate";
  EXPECT_EQ(compiled.segments[1].end_rate, 1);
  EXPECT_FALSE(compiled.process->values().flag("repeat"));
}

TEST(PrepareArrivalTest, ClosedLoop) {
  EXPECT_THAT(FindingsOf({{kArrival, "{closed_loop: {}}"}}),
              ElementsAre("ERROR workload.arrival.closed_loop.users: is missing: how many clients "
                          "take turns"));
  EXPECT_THAT(FindingsOf({{kArrival, "{closed_loop: {users: 0, ramp_seconds: -1}}"}}),
              ElementsAre(HasSubstr("closed_loop.users: is 0; allowed are 1 .. 10,000,000"),
                          HasSubstr("closed_loop.ramp_seconds: is -1; allowed are")));
  EXPECT_THAT(FindingsOf({{kArrival, "{closed_loop: {users: 1, think_time: {}}}"}}),
              ElementsAre("ERROR workload.arrival.closed_loop.think_time: is empty: give one of "
                          "fixed_seconds, exponential, uniform"));
  EXPECT_THAT(
      FindingsOf({{kArrival, "{closed_loop: {users: 1, think_time: {exponential: {}}}}"}}),
      ElementsAre("ERROR workload.arrival.closed_loop.think_time.exponential.mean_seconds: is "
                  "missing: the mean duration"));
  EXPECT_THAT(FindingsOf({{kArrival,
                           "{closed_loop: {users: 1, think_time: {uniform: {min_seconds: 3, "
                           "max_seconds: 2}}}}"}}),
              ElementsAre("ERROR workload.arrival.closed_loop.think_time.uniform.max_seconds: must "
                          "not be below min_seconds"));
  EXPECT_THAT(
      FindingsOf({{kArrival, "{closed_loop: {users: 1, think_time: {fixed_seconds: 2e6}}}"}}),
      ElementsAre(HasSubstr("think_time.fixed_seconds: is 2e+06; allowed are 0 .. 1e+06")));
  EXPECT_THAT(
      FindingsOf({{"workload.num_requests", "1000000"},
                  {kArrival, "{closed_loop: {users: 1, think_time: {fixed_seconds: 1e5}}}"}}),
      ElementsAre("ERROR workload.arrival.closed_loop.think_time: is too long: the last "
                  "request would arrive after 126 years"));
  const Arrivals loop = Compiled({{kArrival, "{closed_loop: {users: 8}}"}}).arrivals;
  EXPECT_EQ(loop.process->users(), 8);
  EXPECT_EQ(std::get<FixedDuration>(loop.think_time).seconds, 0);
  EXPECT_EQ(loop.process->values().real("ramp_seconds"), 0);
}

TEST(PrepareConversationsTest, DefaultsAndLimits) {
  const Workload workload = Compiled({{kConversations, "{}"}});
  ASSERT_TRUE(workload.conversations.has_value());
  EXPECT_EQ(workload.conversations->single_turn_share, 0.5);
  EXPECT_EQ(workload.conversations->min_turns, 2);
  EXPECT_EQ(workload.conversations->max_turns, 7);
  EXPECT_EQ(std::get<ExponentialDuration>(workload.conversations->think_time).mean_seconds, 10);
  EXPECT_EQ(workload.conversations->max_context_tokens, 0);
  EXPECT_EQ(Compiled({{kConversations, "{min_turns: 9}"}}).conversations->max_turns, 9);
  EXPECT_EQ(Compiled({{kConversations, "{max_turns: 1}"}}).conversations->min_turns, 1);
  EXPECT_THAT(
      FindingsOf({{kConversations,
                   "{single_turn_share: 1.5, min_turns: 3, max_turns: 2, max_context_tokens: 1}"}}),
      ElementsAre("ERROR workload.conversations.single_turn_share: is 1.5; allowed are 0 .. 1",
                  "ERROR workload.conversations.max_turns: is 2; allowed are 3 .. 1,000",
                  "ERROR workload.conversations.max_context_tokens: is 1; allowed are 2 .. "
                  "2,000,000,000"));
  EXPECT_THAT(FindingsOf({{kConversations, "{max_turns: 0}"}}),
              ElementsAre("ERROR workload.conversations.max_turns: is 0; allowed are 1 .. 1,000"));
}

TEST(PreparePrefixGroupsTest, DefaultsAndLimits) {
  const auto groups = Compiled({{kGroups, "{groups: 20, tokens: 512}"}}).prefix_groups;
  ASSERT_TRUE(groups.has_value());
  EXPECT_EQ(groups->groups, 20);
  EXPECT_EQ(groups->tokens, 512);
  EXPECT_EQ(groups->zipf, 0);
  EXPECT_THAT(FindingsOf({{kGroups, "{}"}}),
              ElementsAre(HasSubstr("prefix_groups.groups: is missing"),
                          HasSubstr("prefix_groups.tokens: is missing")));
  EXPECT_THAT(FindingsOf({{kGroups, "{groups: 0, tokens: 0, zipf: 11}"}}),
              ElementsAre(HasSubstr("prefix_groups.groups: is 0; allowed are 1 .. 1,000,000"),
                          HasSubstr("prefix_groups.tokens: is 0; allowed are 1 .. 100,000,000"),
                          HasSubstr("prefix_groups.zipf: is 11; allowed are 0 .. 10")));
  EXPECT_THAT(FindingsOf({{kGroups, "{groups: 1, tokens: 4000}"}}),
              ElementsAre(HasSubstr("WARNING workload.lengths: every request would be rejected: "
                                    "the shortest has 4,200 tokens")));
}

TEST(PrepareClassesTest, DefaultsAndLimits) {
  const PreparedSpec prepared = PrepareChanged(
      {{"slo", "{ttft_seconds: 2, tpot_seconds: 0.1}"},
       {kClasses,
        "[{name: chat, share: 3, priority: -1, slo: {ttft_seconds: 1}}, {name: batch, slo: {}, "
        "lengths: {independent: {input: {fixed: 1000}, output: {fixed: 5}}}}]"}});
  ASSERT_TRUE(prepared.ok()) << Texts(prepared).front();
  EXPECT_THAT(Texts(prepared), IsEmpty());
  const auto& compiled = prepared.plan->workload.classes;
  ASSERT_EQ(compiled.size(), 2u);
  EXPECT_EQ(compiled[0].share, 3);
  EXPECT_FALSE(compiled[0].lengths.has_value());
  EXPECT_EQ(compiled[1].share, 1);
  EXPECT_EQ(compiled[1].lengths->input.sampler->values().integer("tokens"), 1000);
  const auto& classes = prepared.plan->classes;
  ASSERT_EQ(classes.size(), 2u);
  EXPECT_EQ(classes[0].name, "chat");
  EXPECT_EQ(classes[0].priority, -1);
  EXPECT_EQ(classes[0].slo.ttft, kNanosPerSecond);
  EXPECT_EQ(classes[0].slo.tpot, kNanosPerSecond / 10) << "what it leaves out is the spec's";
  EXPECT_EQ(classes[1].slo.ttft, 2 * kNanosPerSecond);
  EXPECT_EQ(classes[1].slo.e2e, std::nullopt);
  EXPECT_FALSE(prepared.resolved.workload().classes(1).has_slo()) << "empty is the same as absent";
}

TEST(PrepareClassesTest, Errors) {
  EXPECT_THAT(
      FindingsOf({{kClasses,
                   "[{share: 0, priority: 2000000}, {name: a, slo: {e2e_seconds: -1}}, {name: a, "
                   "lengths: {independent: {input: {fixed: 0}, output: {fixed: 1}}}}]"}}),
      ElementsAre(
          "ERROR workload.classes[0].name: is missing: what the class is called in the report",
          HasSubstr("classes[0].share: is 0; it must be above 0"),
          HasSubstr("classes[0].priority: is 2000000; allowed are -1,000,000 .. 1,000,000"),
          HasSubstr("classes[1].slo.e2e_seconds: is -1; it must be above 0"),
          HasSubstr("classes[2].lengths.independent.input.fixed: is 0; allowed are"),
          "ERROR workload.classes[2].name: is the name of another class"));
  std::string many;
  for (int i = 0; i < 65; ++i) many += "{name: c" + std::to_string(i) + "}, ";
  EXPECT_THAT(FindingsOf({{kClasses, "[" + many + "]"}}),
              ElementsAre("ERROR workload.classes: has 65 entries; at most 64 are allowed"));
  EXPECT_THAT(FindingsOf({{kClasses, "[{name: a, lengths: {trace: {}}}]"}}),
              ElementsAre("ERROR workload.classes[0].lengths.trace: needs workload.trace with a "
                          "path or rows",
                          "WARNING workload.lengths: is not used: every class has its own"));
}

TEST(PrepareClassesTest, LengthsOfEveryClassReplaceTheWorkloads) {
  v1::Spec spec = GoodSpec();
  spec.mutable_workload()->clear_lengths();
  spec = Changed(spec, {{kClasses,
                         "[{name: a, lengths: sharegpt}, {name: b, lengths: {independent: {input: "
                         "{fixed: 7}, output: {fixed: 1}}}}]"}});
  const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::NoPaths());
  EXPECT_THAT(Texts(prepared), IsEmpty());
  ASSERT_TRUE(prepared.ok());
  auto source = MakeRequestSource(prepared.plan->workload, 0);
  for (; source->Peek() != nullptr; source->Pop()) {
    EXPECT_TRUE(source->Peek()->client_class == 0 || source->Peek()->input_tokens == 7);
  }
  spec.mutable_workload()->mutable_classes(1)->clear_lengths();
  EXPECT_THAT(Texts(PrepareSpec(spec, TracePolicy::NoPaths())),
              ElementsAre(HasSubstr("ERROR workload.lengths: is missing")));
}

// ---- Traces with hash ids and conversations

v1::Spec TraceSpec(const std::string& rows, const Changes& changes = {}) {
  v1::Spec spec = GoodSpec();
  spec.clear_workload();
  spec = Changed(spec, {{"workload.trace", "{rows: {" + rows + "}}"}});
  return Changed(spec, changes);
}
std::vector<std::string> TraceFindings(const std::string& rows, const Changes& changes = {}) {
  return Texts(PrepareSpec(TraceSpec(rows, changes), TracePolicy::NoPaths()));
}

constexpr char kTimed[] =
    "arrival_delta_ns: [0, 5, 6], input_tokens: [600, 100, 1200], output_tokens: [4, 5, 6], ";
const std::string kHashed =
    std::string(kTimed) +
    "hash_ids: [1, 2, 1, 3, 4], hash_counts: [2, 0, 3], hash_block_tokens: 512";
const std::string kTurns = std::string(kTimed) + "conversation: [7, -1, 7]";

TEST(PrepareTraceTest, HashIds) {
  const PreparedSpec prepared = PrepareSpec(TraceSpec(kHashed), TracePolicy::NoPaths());
  ASSERT_TRUE(prepared.ok()) << Texts(prepared).front();
  EXPECT_THAT(prepared.plan->workload.trace->hash_begin, ElementsAre(0, 2, 2, 5));
  EXPECT_THAT(prepared.plan->workload.trace->hash_ids, ElementsAre(1, 2, 1, 3, 4));
  EXPECT_EQ(prepared.plan->workload.trace->hash_block_tokens, 512);
  const PreparedSpec sliced =
      PrepareSpec(TraceSpec(kHashed, {{"workload.trace.offset", "2"}}), TracePolicy::NoPaths());
  ASSERT_TRUE(sliced.ok()) << Texts(sliced).front();
  EXPECT_THAT(sliced.plan->workload.trace->hash_ids, ElementsAre(1, 3, 4));
  EXPECT_THAT(sliced.plan->workload.trace->hash_begin, ElementsAre(0, 3));
  EXPECT_EQ(PrepareSpec(sliced.resolved, TracePolicy::NoPaths()).digest, sliced.digest);
}

TEST(PrepareTraceTest, BadHashIds) {
  const auto findings = [](const std::string& columns) {
    return TraceFindings(std::string(kTimed) + columns);
  };
  EXPECT_THAT(findings("hash_ids: [1], hash_counts: [1, 0], hash_block_tokens: 512"),
              ElementsAre(HasSubstr("trace.rows: columns differ in length: arrival_delta_ns 3, "
                                    "input_tokens 3, output_tokens 3, hash_counts 2")));
  EXPECT_THAT(findings("hash_ids: [1, 2], hash_counts: [1, 0, 0], hash_block_tokens: 512"),
              ElementsAre("ERROR workload.trace.rows.hash_ids: has 2 entries; the sum of "
                          "hash_counts is 1"));
  EXPECT_THAT(findings("hash_ids: [1], hash_block_tokens: 512"),
              ElementsAre(HasSubstr("rows.hash_ids: has 1 entries; the sum of hash_counts is 0")));
  EXPECT_THAT(findings("hash_ids: [1, 2, 3], hash_counts: [3, 0, 0], hash_block_tokens: 512"),
              ElementsAre("ERROR workload.trace.rows.hash_counts[0]: is 3; allowed are 0 .. 2"));
  EXPECT_THAT(findings("hash_ids: [1], hash_counts: [1, 0, -1], hash_block_tokens: 512"),
              ElementsAre(HasSubstr("rows.hash_counts[2]: is -1; allowed are 0 .. 3")));
  EXPECT_THAT(findings("hash_ids: [1], hash_counts: [1, 0, 0]"),
              ElementsAre(HasSubstr("rows.hash_block_tokens: is missing")));
  EXPECT_THAT(findings("hash_ids: [1], hash_counts: [1, 0, 0], hash_block_tokens: 0"),
              ElementsAre(HasSubstr("rows.hash_block_tokens: is 0; allowed are 1 ..")));
  EXPECT_THAT(findings("hash_ids: [1], hash_counts: [1, 0, 0], hash_block_tokens: 512, "
                       "conversation: [1, 1, 1]"),
              ElementsAre(HasSubstr("trace.rows: have hash_ids and conversation; give one")));
}

TEST(PrepareTraceTest, HashIdsThatAreNotUsed) {
  const auto has_ids = [](const Changes& changes) {
    const PreparedSpec prepared = PrepareSpec(TraceSpec(kHashed, changes), TracePolicy::NoPaths());
    EXPECT_TRUE(prepared.ok()) << Texts(prepared).front();
    return prepared.ok() && !prepared.plan->workload.trace->hash_ids.empty();
  };
  EXPECT_TRUE(has_ids({{"workload.lengths", "{trace: {resample: true}}"}}));
  EXPECT_FALSE(has_ids({{"workload.lengths", "sharegpt"}}));
  EXPECT_THAT(TraceFindings(kHashed, {{"workload.lengths", "sharegpt"}}), IsEmpty());
  EXPECT_FALSE(has_ids({{kGroups, "{groups: 1, tokens: 5}"}}));
  EXPECT_THAT(TraceFindings(kHashed, {{kGroups, "{groups: 1, tokens: 5}"}}),
              ElementsAre("WARNING workload.trace: its hash_ids are not used: prefix_groups say "
                          "what the prompts contain"));
  EXPECT_FALSE(has_ids({{kConversations, "{}"}}));
}

TEST(PrepareTraceTest, Conversations) {
  const PreparedSpec prepared = PrepareSpec(TraceSpec(kTurns), TracePolicy::NoPaths());
  ASSERT_TRUE(prepared.ok()) << Texts(prepared).front();
  EXPECT_THAT(prepared.plan->workload.trace->conversation, ElementsAre(7, -1, 7));
  EXPECT_FALSE(prepared.resolved.workload().has_conversations());
  EXPECT_TRUE(MakeRequestSource(prepared.plan->workload, 0)->reactive());

  EXPECT_THAT(TraceFindings(kTurns, {{kConversations, "{min_turns: 3}"}}),
              ElementsAre(HasSubstr("ERROR workload.conversations: the trace's rows say how many "
                                    "turns a conversation has")));
  const PreparedSpec thinking = PrepareSpec(
      TraceSpec(kTurns, {{kConversations, "{max_context_tokens: 5000}"}}), TracePolicy::NoPaths());
  ASSERT_TRUE(thinking.ok()) << Texts(thinking).front();
  EXPECT_FALSE(thinking.resolved.workload().conversations().has_max_turns());
  EXPECT_EQ(PrepareSpec(thinking.resolved, TracePolicy::NoPaths()).digest, thinking.digest);

  EXPECT_THAT(TraceFindings(kTurns, {{kClasses, "[{name: a, lengths: sharegpt}]"}}),
              ElementsAre("ERROR workload.classes[0].lengths: cannot be given: the trace's "
                          "conversations have their own"));
  EXPECT_THAT(TraceFindings(kTurns, {{"workload.lengths", "{trace: {resample: true}}"}}),
              ElementsAre("WARNING workload.lengths.trace.resample: draws single rows: the trace's "
                          "conversations are not kept"));
  EXPECT_THAT(TraceFindings(std::string(kTimed) + "conversation: [7, -2, 7]"),
              ElementsAre("ERROR workload.trace.rows.conversation[1]: is -2; allowed are -1, for "
                          "none, and above"));
}

TEST(PrepareTraceTest, FilesKeepHashIdsAndConversations) {
  const fs::path dir = fs::temp_directory_path() / ("traffic_test." + std::to_string(getpid()));
  fs::create_directories(dir);
  std::ofstream(dir / "ids.jsonl")
      << R"({"timestamp": 0, "input_length": 600, "output_length": 1, "hash_ids": [5, 6]})"
      << "\n"
      << R"({"timestamp": 9, "input_length": 100, "output_length": 1, "hash_ids": [5]})"
      << "\n";
  std::ofstream(dir / "turns.csv") << "input_tokens,output_tokens,session\n1,2,a\n3,4,a\n";
  const auto prepare = [&](const std::string& file, const Changes& changes) {
    v1::Spec spec = GoodSpec();
    spec.clear_workload();
    spec = Changed(spec, {{"workload.trace.path", file}});
    return PrepareSpec(Changed(spec, changes), TracePolicy::Below(dir.string()));
  };
  const PreparedSpec ids = prepare("ids.jsonl", {});
  const PreparedSpec turns = prepare("turns.csv", {{kArrival, "{closed_loop: {users: 3}}"}});
  fs::remove_all(dir);
  ASSERT_TRUE(ids.ok()) << Texts(ids).front();
  EXPECT_THAT(ids.resolved.workload().trace().rows().hash_counts(), ElementsAre(2, 1));
  EXPECT_THAT(ids.plan->workload.trace->hash_ids, ElementsAre(5, 6, 5));
  EXPECT_EQ(PrepareSpec(ids.resolved, TracePolicy::NoPaths()).digest, ids.digest);
  ASSERT_TRUE(turns.ok()) << Texts(turns).front();
  EXPECT_THAT(turns.plan->workload.trace->conversation, ElementsAre(0, 0));
  EXPECT_EQ(turns.plan->workload.num_requests, 2);
}

// Absent is off.
TEST(PrepareTrafficTest, AbsentMessagesStayAbsent) {
  const v1::Workload workload = PrepareChanged({}).resolved.workload();
  EXPECT_FALSE(workload.has_conversations());
  EXPECT_FALSE(workload.has_prefix_groups());
  EXPECT_EQ(workload.classes_size(), 0);
  EXPECT_EQ(PrepareChanged({}).plan->classes.size(), 0u);
}

// Requests until a time, of GoodSpec with the changes.
std::vector<std::string> TimedFindings(const std::string& duration, Changes changes = {}) {
  v1::Spec spec = GoodSpec();
  spec.mutable_workload()->clear_num_requests();
  changes.insert(changes.begin(), {"workload.duration_seconds", duration});
  return Texts(PrepareSpec(Changed(std::move(spec), changes), TracePolicy::NoPaths()));
}

TEST(PrepareDurationTest, ReplacesTheNumberOfRequests) {
  v1::Spec spec = GoodSpec();
  spec.mutable_workload()->clear_num_requests();
  spec.mutable_workload()->set_duration_seconds(600);
  const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::NoPaths());
  ASSERT_TRUE(prepared.ok());
  EXPECT_THAT(Texts(prepared), IsEmpty());
  EXPECT_FALSE(prepared.resolved.workload().has_num_requests());
  EXPECT_EQ(prepared.plan->workload.duration, 600 * kNanosPerSecond);
  EXPECT_EQ(prepared.plan->workload.num_requests, 600) << "one a second";
  EXPECT_EQ(ToEstimate(prepared).requests(), 600);
  EXPECT_EQ(PrepareSpec(prepared.resolved, TracePolicy::NoPaths()).digest, prepared.digest);
}

TEST(PrepareDurationTest, SaysWhatCannotEndAtATime) {
  EXPECT_THAT(FindingsOf({{"workload.duration_seconds", "10"}}),
              ElementsAre("ERROR workload.duration_seconds: excludes num_requests: arrivals end at "
                          "a time or after a number"));
  EXPECT_THAT(TimedFindings("0"),
              ElementsAre(HasSubstr("duration_seconds: is 0; it must be above")));
  EXPECT_THAT(TimedFindings("10", {{kArrival, "{uniform: {end_seconds: 5}}"}}),
              ElementsAre(HasSubstr("workload.arrival.uniform: spreads a number of requests")));
  EXPECT_THAT(TimedFindings("10", {{kArrival, "{burst: {}}"}}),
              ElementsAre(HasSubstr("burst.size: is missing"),
                          HasSubstr("burst.interval_seconds: must be above 0 with")));
  EXPECT_THAT(
      TimedFindings("4e9", {{kArrival, "{poisson: {rate_per_second: 10}}"}}),
      ElementsAre("ERROR workload.duration_seconds: means about 40,000,000,000 requests; at "
                  "most 1,000,000,000 are allowed"));
  EXPECT_THAT(
      TimedFindings("10", {{"workload.trace",
                            "{rows: {arrival_delta_ns: [0, 0], input_tokens: [1, 1], "
                            "output_tokens: [1, 1]}}"},
                           {kArrival, "{trace: {}}"}}),
      ElementsAre(HasSubstr("workload.arrival.trace: the trace's rows arrive all at once")));
  EXPECT_THAT(TimedFindings("10", {{kArrival,
                                    "{piecewise: {segments: [{duration_seconds: 5, "
                                    "start_rate_per_second: 2, end_rate_per_second: 0}]}}"}}),
              IsEmpty())
      << "a rate may end at 0";
}

TEST(PrepareWindowTest, IsCheckedAndCompiled) {
  const PreparedSpec plain = PrepareChanged({});
  EXPECT_EQ(PrepareChanged({{"report", "{}"}}).digest, plain.digest);
  EXPECT_FALSE(plain.plan->window.has_value());
  const PreparedSpec prepared =
      PrepareChanged({{"report.window", "{warm_up_seconds: 20, duration_seconds: 1min}"}});
  ASSERT_TRUE(prepared.ok());
  EXPECT_EQ(prepared.plan->window->start, 20 * kNanosPerSecond);
  EXPECT_EQ(prepared.plan->window->end, 80 * kNanosPerSecond);
  const PreparedSpec open = PrepareChanged({{"report.window.warm_up_seconds", "20"}});
  EXPECT_EQ(open.plan->window->end, kNever);
  EXPECT_THAT(FindingsOf({{"report.window", "{warm_up_seconds: -1, duration_seconds: 0}"}}),
              ElementsAre(HasSubstr("report.window.warm_up_seconds: is -1; allowed are 0 .. 4e+09"),
                          HasSubstr("report.window.duration_seconds: is 0; it must be above 0")));
  EXPECT_THAT(TimedFindings("60", {{"report.window.warm_up_seconds", "60"}}),
              ElementsAre("ERROR report.window.warm_up_seconds: must be below "
                          "workload.duration_seconds: no request would count"));
}

TEST(PrepareTrafficTest, PlacesAreForRequestsThatWaitForNothingElse) {
  const PreparedSpec prepared = PrepareChanged({{"workload.max_in_flight", "8"}});
  ASSERT_TRUE(prepared.ok());
  EXPECT_EQ(prepared.plan->workload.max_in_flight, 8);
  EXPECT_EQ(FindingsOf({{"workload.max_in_flight", "0"}}).size(), 1u);
  EXPECT_EQ(FindingsOf({{"workload.max_in_flight", "8"}, {"workload.conversations", "{}"}}),
            std::vector<std::string>{
                "ERROR workload.max_in_flight: is for requests that wait for nothing else; "
                "conversations have one request at a time"});
  EXPECT_EQ(FindingsOf({{"workload.max_in_flight", "8"},
                        {"workload.arrival", "{closed_loop: {users: 3}}"}}),
            std::vector<std::string>{
                "ERROR workload.max_in_flight: is for requests that wait for nothing else; "
                "arrival.closed_loop has users"});
}

TEST(PrepareTrafficTest, Sampling) {
  EXPECT_TRUE(PrepareChanged({{"sampling", "greedy"}}).ok());
  const PreparedSpec filtered = PrepareChanged({{"sampling", "filtered"}});
  ASSERT_TRUE(filtered.ok());
  EXPECT_EQ(filtered.resolved.sampling().filter(), "flashinfer");
  EXPECT_EQ(PrepareChanged({{"sampling.penalties", "true"}}).resolved.sampling().method(), "plain");
  EXPECT_EQ(FindingsOf({{"sampling", "gready"}}).size(), 1u);
  EXPECT_EQ(FindingsOf({{"sampling", "{method: greedy, filter: sort}"}}),
            std::vector<std::string>{
                "ERROR sampling.filter: is of the method filtered; the method is greedy"});
  // What is asked is part of what a run depends on; without it nothing changes.
  EXPECT_NE(filtered.digest, PrepareChanged({}).digest);
}

}  // namespace
}  // namespace tokensim
