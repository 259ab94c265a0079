// What PrepareSpec says about arrivals, lengths and traces.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "engine/io/plan/test_specs.h"
#include "engine/workload/arrival_process.h"
#include "engine/workload/length_source.h"

namespace tokensim {
namespace {

namespace fs = std::filesystem;

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kArrival[] = "workload.arrival";
constexpr char kInput[] = "workload.lengths.independent.input";

TEST(PrepareArrivalTest, Rates) {
  EXPECT_THAT(
      FindingsOf({{kArrival, "{poisson: {}}"}}),
      ElementsAre("ERROR workload.arrival.poisson.rate_per_second: is missing: requests per "
                  "second"));
  EXPECT_THAT(FindingsOf({{kArrival, "{constant: {rate_per_second: 0}}"}}),
              ElementsAre("ERROR workload.arrival.constant.rate_per_second: is 0; it must be above "
                          "0 and at most 1e+09"));
  EXPECT_THAT(FindingsOf({{kArrival, "{poisson: {rate_per_second: 1e-9}}"}}),
              ElementsAre("ERROR workload.arrival.poisson.rate_per_second: is too low: the last "
                          "request would arrive after 126 years"));
  EXPECT_THAT(FindingsOf({{kArrival, "{poisson: {rate_per_second: 1e6}}"}}),
              ElementsAre("WARNING workload.arrival.poisson.rate_per_second: is 1e+06 requests per "
                          "second: practically all arrive at once"));
  EXPECT_THAT(FindingsOf({{kArrival, "{}"}}),
              ElementsAre("ERROR workload.arrival: is missing: give one of poisson, constant, "
                          "uniform, burst, gamma, weibull, piecewise, closed_loop, trace; trace "
                          "needs workload.trace"));
}

TEST(PrepareArrivalTest, ByName) {
  EXPECT_THAT(FindingsOf({{kArrival, "{named: {name: possion}}"}}),
              ElementsAre("ERROR workload.arrival.named.name: unknown arrival process 'possion'; "
                          "did you mean poisson?"));
  EXPECT_THAT(FindingsOf({{kArrival, "{named: {name: gamma, parameters: {cv: 2}}}"}}),
              ElementsAre("ERROR workload.arrival.named.name: has a field of its own: write gamma "
                          "instead of named"));
}

TEST(PrepareArrivalTest, UniformAndBurst) {
  EXPECT_THAT(FindingsOf({{kArrival, "{uniform: {start_seconds: 5}}"}}),
              ElementsAre(HasSubstr("ERROR workload.arrival.uniform.end_seconds: is missing")));
  EXPECT_THAT(FindingsOf({{kArrival, "{uniform: {start_seconds: 5, end_seconds: 5}}"}}),
              ElementsAre("ERROR workload.arrival.uniform.end_seconds: must be later than "
                          "start_seconds"));
  EXPECT_THAT(FindingsOf({{kArrival, "{burst: {size: 0}}"}}),
              ElementsAre("ERROR workload.arrival.burst.size: is 0; allowed are 1 .. "
                          "1,000,000,000"));
  EXPECT_THAT(FindingsOf({{kArrival, "{burst: {size: 1, interval_seconds: 1e9}}"}}),
              ElementsAre("ERROR workload.arrival.burst.interval_seconds: is too long: the last "
                          "request would arrive after 126 years"));
}

TEST(PrepareLengthsTest, Distributions) {
  EXPECT_THAT(
      FindingsOf({{"workload.lengths", "{independent: {output: {}}}"}}),
      ElementsAre("ERROR workload.lengths.independent.input: is missing: give one of fixed, "
                  "uniform, lognormal, poisson, quantiles",
                  "ERROR workload.lengths.independent.output: is empty: give one of fixed, "
                  "uniform, lognormal, poisson, quantiles"));
  EXPECT_THAT(FindingsOf({{kInput, "{fixed: 0}"}}),
              ElementsAre("ERROR workload.lengths.independent.input.fixed: is 0; allowed are 1 .. "
                          "1,000,000,000"));
  EXPECT_THAT(FindingsOf({{kInput, "{uniform: {min: 5, max: 4}}"}}),
              ElementsAre("ERROR workload.lengths.independent.input.uniform.max: is 4; allowed are "
                          "5 .. 1,000,000,000"));
  EXPECT_THAT(FindingsOf({{kInput, "{lognormal: {median: 0, sigma: .inf}}"}}),
              ElementsAre(HasSubstr("input.lognormal.median: is 0; it must be above 0"),
                          HasSubstr("input.lognormal.sigma: is .inf; allowed are 0 .. 100")));
}

TEST(PrepareLengthsTest, QuantileTables) {
  const auto table = [](const std::string& p, const std::string& v) {
    return FindingsOf({{kInput, "{quantiles: {probabilities: " + p + ", values: " + v + "}}"}});
  };
  EXPECT_THAT(table("[0, 0.5, 1]", "[1, 10, 100]"), IsEmpty());
  EXPECT_THAT(table("[0]", "[1]"),
              ElementsAre(HasSubstr("quantiles.probabilities: has 1 entries; allowed are 2 .. ")));
  EXPECT_THAT(table("[0, 1]", "[1, 2, 3]"),
              ElementsAre(HasSubstr("quantiles.values: has 3 entries; probabilities has 2")));
  EXPECT_THAT(table("[0.1, 1]", "[1, 2]"),
              ElementsAre(HasSubstr("probabilities: must begin with 0 and end with 1")));
  EXPECT_THAT(table("[0, 0.6, 0.5, 1]", "[1, 2, 3, 4]"),
              ElementsAre(HasSubstr("probabilities[2]: must be larger than the one before")));
  EXPECT_THAT(table("[0, .nan, 1]", "[1, 2, 3]"),
              ElementsAre(HasSubstr("probabilities[1]: must be larger than the one before")));
  EXPECT_THAT(table("[0, 1]", "[5, 4]"),
              ElementsAre(HasSubstr("values[1]: must not be smaller than the one before")));
  EXPECT_THAT(table("[0, 1]", "[-1, 4]"), ElementsAre(HasSubstr("values[0]: is -1; allowed are")));
}

TEST(PrepareLengthsTest, Joint) {
  const auto joint = [](const std::string& bins) {
    return FindingsOf(
        {{"workload.lengths",
          "{joint: {input: {probabilities: [0, 1], values: [1, 100]}, bins: " + bins + "}}"}});
  };
  const std::string output = "output: {probabilities: [0, 1], values: [1, 9]}";
  EXPECT_THAT(joint("[{max_input: 10, " + output + "}, {" + output + "}]"), IsEmpty());
  EXPECT_THAT(joint("[]"), ElementsAre(HasSubstr("joint.bins: has 0 entries")));
  EXPECT_THAT(joint("[{max_input: 10, " + output + "}, {max_input: 10, " + output + "}]"),
              ElementsAre(HasSubstr("joint.bins[1].max_input: is 10; allowed are 11 .. ")));
  EXPECT_THAT(joint("[{" + output + "}, {max_input: 100, " + output + "}]"),
              ElementsAre(HasSubstr("joint.bins[0].max_input: is missing")));
  EXPECT_THAT(joint("[{max_input: 10, " + output + "}]"),
              ElementsAre(HasSubstr("joint.bins[0].max_input: is 10; the last bin must cover every "
                                    "input, up to 100")));
}

TEST(PrepareLengthsTest, Presets) {
  EXPECT_THAT(
      FindingsOf({{"workload.lengths", "sharegpd"}}),
      ElementsAre("ERROR workload.lengths.preset: unknown lengths preset 'sharegpd'; did you "
                  "mean sharegpt?"));
  v1::Spec both = GoodSpec();
  both.mutable_workload()->mutable_lengths()->set_preset("sharegpt");
  EXPECT_THAT(Texts(PrepareSpec(both, TracePolicy::NoPaths())),
              ElementsAre("ERROR workload.lengths.preset: excludes independent, joint and trace; "
                          "give one of them"));
  const PreparedSpec prepared = PrepareChanged({{"workload.lengths", "sharegpt"}});
  EXPECT_EQ(prepared.resolved.workload().lengths().preset(), "");
  EXPECT_TRUE(prepared.resolved.workload().lengths().has_joint());
}

TEST(PrepareLengthsTest, WarnsWhenNothingCanBeServed) {
  EXPECT_THAT(FindingsOf({{kInput, "{fixed: 5000}"}}),
              ElementsAre("WARNING workload.lengths: every request would be rejected: the shortest "
                          "has 5,100 tokens, input and output, and the largest max_model_len is "
                          "4,096"));
  EXPECT_THAT(FindingsOf({{"memory.kv_blocks", "11"}, {"local_scheduler.max_model_len", "160"}}),
              ElementsAre(HasSubstr("and the largest max_model_len is 160")));
}

// ---- Traces

constexpr char kRows[] =
    "{rows: {arrival_delta_ns: [0, 5, 6], input_tokens: [1, 2, 3], output_tokens: [4, 5, 6]}}";

v1::Spec TraceSpec(const std::string& trace) {
  v1::Spec spec = GoodSpec();
  spec.clear_workload();
  return Changed(spec, {{"workload.trace", trace}});
}

std::vector<std::string> TraceFindings(const std::string& trace) {
  return Texts(PrepareSpec(TraceSpec(trace), TracePolicy::NoPaths()));
}

TEST(PrepareTraceTest, ATraceGivesArrivalsLengthsAndTheNumberOfRequests) {
  const PreparedSpec prepared = PrepareSpec(TraceSpec(kRows), TracePolicy::NoPaths());
  ASSERT_TRUE(prepared.ok()) << Texts(prepared).front();
  const Workload& workload = prepared.plan->workload;
  EXPECT_EQ(workload.num_requests, 3);
  EXPECT_EQ(workload.arrivals.process->values().real("speedup"), 1);
  EXPECT_FALSE(workload.lengths.source->values().flag("resample"));
  EXPECT_THAT(workload.trace->arrival, ElementsAre(0, 5, 11));
  EXPECT_THAT(workload.trace->output_tokens, ElementsAre(4, 5, 6));
}

TEST(PrepareTraceTest, ANumberOfRequestsGoesBeforeThatOfTheRows) {
  for (const char* requests : {"2", "7"}) {
    const PreparedSpec prepared = PrepareSpec(
        Changed(TraceSpec(kRows), {{"workload.num_requests", requests}}), TracePolicy::NoPaths());
    ASSERT_TRUE(prepared.ok()) << Texts(prepared).front();
    EXPECT_EQ(std::to_string(prepared.plan->workload.num_requests), requests);
  }
}

TEST(PrepareTraceTest, Slices) {
  const PreparedSpec prepared = PrepareSpec(
      Changed(TraceSpec(kRows), {{"workload.trace.offset", "1"}, {"workload.trace.limit", "1"}}),
      TracePolicy::NoPaths());
  ASSERT_TRUE(prepared.ok()) << Texts(prepared).front();
  EXPECT_THAT(prepared.plan->workload.trace->arrival, ElementsAre(0));
  EXPECT_THAT(prepared.plan->workload.trace->input_tokens, ElementsAre(2));
  EXPECT_FALSE(prepared.resolved.workload().trace().has_offset());
  EXPECT_THAT(Texts(PrepareSpec(Changed(TraceSpec(kRows), {{"workload.trace.offset", "3"}}),
                                TracePolicy::NoPaths())),
              ElementsAre("ERROR workload.trace.rows: is empty: no request is left"));
}

TEST(PrepareTraceTest, BadRows) {
  EXPECT_THAT(TraceFindings("{}"),
              ElementsAre("ERROR workload.trace: is empty: give path or rows"));
  EXPECT_THAT(
      TraceFindings("{rows: {input_tokens: [1]}}"),
      ElementsAre("ERROR workload.trace.rows: columns differ in length: arrival_delta_ns 0, "
                  "input_tokens 1, output_tokens 0"));
  EXPECT_THAT(TraceFindings("{rows: {input_tokens: [1, 0], output_tokens: [1, 1], "
                            "arrival_delta_ns: [0, 0]}}"),
              ElementsAre("ERROR workload.trace.rows.input_tokens[1]: is 0; allowed are 1 .. "
                          "1,000,000,000"));
  EXPECT_THAT(TraceFindings("{rows: {input_tokens: [1, 1], output_tokens: [1, 1], "
                            "arrival_delta_ns: [0, -1]}}"),
              ElementsAre("ERROR workload.trace.rows.arrival_delta_ns[1]: is -1; rows must be in "
                          "order of time"));
  EXPECT_THAT(TraceFindings("{rows: {input_tokens: [1, 1], output_tokens: [1, 1], "
                            "arrival_delta_ns: [4e18, 4e18]}}"),
              ElementsAre("ERROR workload.trace.rows.arrival_delta_ns[1]: puts the row beyond 126 "
                          "years"));
  EXPECT_THAT(TraceFindings("{rows: {input_tokens: [1], output_tokens: [1]}}"),
              ElementsAre("ERROR workload.arrival.trace: the trace has no timestamps; use another "
                          "arrival process"));
}

TEST(PrepareTraceTest, TracesThatAreMissingOrUnused) {
  EXPECT_THAT(
      FindingsOf({{kArrival, "{trace: {}}"}}),
      ElementsAre("ERROR workload.arrival.trace: needs workload.trace with a path or rows"));
  EXPECT_THAT(
      FindingsOf({{"workload.lengths", "{trace: {}}"}}),
      ElementsAre("ERROR workload.lengths.trace: needs workload.trace with a path or rows"));
  const PreparedSpec unused = PrepareChanged({{"workload.trace", kRows}});
  EXPECT_THAT(
      Texts(unused),
      ElementsAre("WARNING workload.trace: is not used: neither arrival nor lengths take it"));
  EXPECT_FALSE(unused.resolved.workload().has_trace());
}

class TraceFileTest : public ::testing::Test {
 protected:
  TraceFileTest()
      : root_(fs::temp_directory_path() / ("trace_file_test." + std::to_string(getpid()))) {
    fs::create_directories(root_ / "data");
    std::ofstream(root_ / "data" / "t.csv")
        << "arrival_s,input_tokens,output_tokens\n1,5,6\n3,7,8\n";
    std::ofstream(root_ / "data" / "bad.csv") << "input_tokens,output_tokens\nsecret words,3\n";
    std::ofstream(root_ / "outside.csv") << "input_tokens,output_tokens\n1,2\n";
    fs::create_symlink(root_ / "outside.csv", root_ / "data" / "link.csv");
  }
  ~TraceFileTest() override { fs::remove_all(root_); }

  PreparedSpec Prepare(const std::string& path, const TracePolicy& policy) {
    return PrepareSpec(TraceSpec("{path: \"" + path + "\"}"), policy);
  }
  [[nodiscard]] std::string data() const { return (root_ / "data").string(); }

  const fs::path root_;
};

TEST_F(TraceFileTest, FilesBecomeRows) {
  const PreparedSpec any = Prepare("data/t.csv", TracePolicy::AnyPath(root_.string()));
  ASSERT_TRUE(any.ok()) << Texts(any).front();
  EXPECT_THAT(any.plan->workload.trace->arrival, ElementsAre(0, 2 * kNanosPerSecond));
  const v1::Trace& trace = any.resolved.workload().trace();
  EXPECT_EQ(trace.path(), "");
  EXPECT_THAT(trace.rows().input_tokens(), ElementsAre(5, 7));
  const PreparedSpec below = Prepare("t.csv", TracePolicy::Below(data()));
  EXPECT_EQ(below.digest, any.digest);
  EXPECT_EQ(PrepareSpec(any.resolved, TracePolicy::NoPaths()).digest, any.digest);
  EXPECT_EQ(Prepare(data() + "/t.csv", TracePolicy::AnyPath(".")).digest, any.digest);
}

TEST_F(TraceFileTest, PathsAreConfined) {
  const std::vector<std::string> outside = {
      "../outside.csv", "link.csv", "/etc/passwd", root_.string() + "/outside.csv", ".",
      "nothing.csv"};
  for (const std::string& path : outside) {
    EXPECT_THAT(Texts(Prepare(path, TracePolicy::Below(data()))),
                ElementsAre("ERROR workload.trace.path: no trace file " + path +
                            " in the server's data directory"))
        << path;
  }
  EXPECT_THAT(Texts(Prepare("t.csv", TracePolicy::NoPaths())),
              ElementsAre("ERROR workload.trace.path: files are not read here; send the rows (the "
                          "tokensim client does)"));
  EXPECT_THAT(Texts(Prepare("nothing.csv", TracePolicy::AnyPath(data()))),
              ElementsAre("ERROR workload.trace.path: no file " + data() + "/nothing.csv"));
  EXPECT_THAT(Texts(Prepare("/dev/zero", TracePolicy::AnyPath("."))), SizeIs(1));
}

TEST_F(TraceFileTest, MessagesDoNotQuoteConfinedFiles) {
  EXPECT_THAT(Texts(Prepare("bad.csv", TracePolicy::AnyPath(data()))),
              ElementsAre(HasSubstr("secret words")));
  EXPECT_THAT(Texts(Prepare("bad.csv", TracePolicy::Below(data()))),
              ElementsAre(AllOf(HasSubstr("bad.csv:2: "), HasSubstr("\"...\""),
                                Not(HasSubstr("secret")), Not(HasSubstr(data())))));
}

TEST_F(TraceFileTest, UnknownFormats) {
  const v1::Spec spec = TraceSpec("{path: t.csv, format: azure}");
  EXPECT_THAT(Texts(PrepareSpec(spec, TracePolicy::Below(data()))),
              ElementsAre("ERROR workload.trace.format: unknown trace format 'azure'; did you mean "
                          "azure_csv?"));
}

TEST(PrepareLengthsTest, Poisson) {
  constexpr char kField[] = "workload.lengths.independent.input";
  const PreparedSpec prepared = PrepareChanged({{kField, "{poisson: {mean: 128}}"}});
  ASSERT_TRUE(prepared.ok());
  const LengthSamplerFactory& input = *prepared.plan->workload.lengths.input.sampler;
  EXPECT_EQ(input.name(), "poisson");
  EXPECT_EQ(input.values().real("mean"), 128);
  EXPECT_EQ(input.values().integer("min"), 1);
  EXPECT_EQ(input.values().integer("max"), 1'000'000);
  EXPECT_EQ(PrepareSpec(prepared.resolved, TracePolicy::NoPaths()).digest, prepared.digest);
  EXPECT_THAT(FindingsOf({{kField, "{poisson: {}}"}}),
              ElementsAre("ERROR workload.lengths.independent.input.poisson.mean: is missing: the "
                          "mean length"));
  EXPECT_THAT(FindingsOf({{kField, "{poisson: {mean: 0, min: 0}}"}}),
              ElementsAre(HasSubstr("poisson.mean: is 0; it must be above 0"),
                          HasSubstr("poisson.min: is 0; allowed are 1 .. 1,000,000,000")));
  EXPECT_THAT(FindingsOf({{kField, "{poisson: {mean: 1, min: 5, max: 4}}"}}),
              ElementsAre(HasSubstr("poisson.max: is 4; allowed are 5 .. 1,000,000,000")));
  const PreparedSpec high = PrepareChanged({{kField, "{poisson: {mean: 1, min: 2000000}}"}});
  EXPECT_EQ(high.resolved.workload().lengths().independent().input().poisson().max(), 2'000'000);
}

TEST(PrepareLengthsTest, SourcesAndDistributionsByName) {
  EXPECT_THAT(FindingsOf({{kInput, "{named: {name: poison}}"}}),
              ElementsAre("ERROR workload.lengths.independent.input.named.name: unknown length "
                          "distribution 'poison'; did you mean poisson?"));
  EXPECT_THAT(FindingsOf({{kInput, "{named: {name: fixed}}"}}),
              ElementsAre("ERROR workload.lengths.independent.input.named.name: has a field of its "
                          "own: write fixed instead of named"));
  EXPECT_THAT(FindingsOf({{"workload.lengths", "{named: {name: join}}"}}),
              ElementsAre("ERROR workload.lengths.named.name: unknown length source 'join'; did "
                          "you mean joint?"));
}

}  // namespace
}  // namespace tokensim
