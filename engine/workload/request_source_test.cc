#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include "engine/base/invariant.h"
#include "engine/workload/test_draws.h"
#include "engine/workload/workload.h"

namespace tokensim {
namespace {

std::vector<int32_t> DrawInputs(const LengthDistribution& distribution, int64_t count) {
  return Inputs(Draw(Make(count, ConstantArrivals{1}, IndependentLengths{distribution, {}})));
}

double Mean(const std::vector<int32_t>& values) {
  double sum = 0;
  for (const int32_t value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

QuantileTable Table(std::vector<double> probabilities, std::vector<double> values) {
  return {std::move(probabilities), std::move(values)};
}

// ---- Arrivals

TEST(Arrivals, PoissonGapsAreExponential) {
  constexpr int64_t kCount = 200'000;
  constexpr double kRate = 8;
  const auto times = Times(Draw(Make(kCount, PoissonArrivals{kRate})));
  double sum = 0, squares = 0;
  int64_t above_mean = 0;
  SimTime previous = 0;
  for (const SimTime time : times) {
    const double gap = ToSeconds(time - previous);
    ASSERT_GE(gap, 0);
    sum += gap;
    squares += gap * gap;
    above_mean += gap > 1 / kRate ? 1 : 0;
    previous = time;
  }
  const double mean = sum / kCount;
  EXPECT_NEAR(mean * kRate, 1, 0.01);
  EXPECT_NEAR((squares / kCount - mean * mean) * kRate * kRate, 1, 0.03);
  EXPECT_NEAR(static_cast<double>(above_mean) / kCount, std::exp(-1.0), 0.005);
}

TEST(Arrivals, ConstantDoesNotDrift) {
  const auto times = Times(Draw(Make(3'000'001, ConstantArrivals{3})));
  EXPECT_EQ(times[0], 0);
  EXPECT_EQ(times[1], 333'333'333);
  EXPECT_EQ(times[2], 666'666'667);
  EXPECT_EQ(times.back(), 1'000'000 * kNanosPerSecond);
}

TEST(Arrivals, UniformIsOrderedAndEven) {
  constexpr int64_t kCount = 100'000;
  const auto times = Times(Draw(Make(kCount, UniformArrivals{10, 20})));
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  EXPECT_GE(times.front(), FromSeconds(10));
  EXPECT_LE(times.back(), FromSeconds(20));
  // Kolmogorov-Smirnov distance; 0.0052 is its 1% quantile for 100,000 draws.
  double distance = 0;
  for (size_t i = 0; i < times.size(); ++i) {
    const double expected = (ToSeconds(times[i]) - 10) / 10;
    distance = std::max(distance, std::abs(expected - static_cast<double>(i) / kCount));
  }
  EXPECT_LT(distance, 0.0052);
}

TEST(Arrivals, UniformWithOneRequestCoversTheRange) {
  double sum = 0;
  for (uint64_t seed = 0; seed < 20'000; ++seed) {
    sum += ToSeconds(Draw(Make(1, UniformArrivals{0, 1}), seed)[0].arrival);
  }
  EXPECT_NEAR(sum / 20'000, 0.5, 0.01);
}

TEST(Arrivals, BurstsComeTogether) {
  const auto times = Times(Draw(Make(7, BurstArrivals{3, 0.5})));
  const SimTime half = kNanosPerSecond / 2;
  EXPECT_EQ(times, (std::vector<SimTime>{0, 0, 0, half, half, half, 2 * half}));
}

TEST(Arrivals, TraceWrapsAroundAfterItsSpanAndMeanGap) {
  const TraceTable trace = {{0, 10, 40}, {1, 2, 3}, {4, 5, 6}};
  const auto requests = Draw(Make(8, TraceArrivals{1}, TraceLengths{}, trace));
  // Span 40, mean gap 20: a cycle takes 60.
  EXPECT_EQ(Times(requests), (std::vector<SimTime>{0, 10, 40, 60, 70, 100, 120, 130}));
  EXPECT_EQ(Inputs(requests), (std::vector<int32_t>{1, 2, 3, 1, 2, 3, 1, 2}));
  EXPECT_EQ(requests[4].output_tokens, 5);
}

TEST(Arrivals, TraceSpeedupDividesTimes) {
  const TraceTable trace = {{0, 10, 40}, {1, 2, 3}, {4, 5, 6}};
  EXPECT_EQ(Times(Draw(Make(5, TraceArrivals{2}, TraceLengths{}, trace))),
            (std::vector<SimTime>{0, 5, 20, 30, 35}));
  EXPECT_EQ(Times(Draw(Make(3, TraceArrivals{0.5}, TraceLengths{}, trace))),
            (std::vector<SimTime>{0, 20, 80}));
}

TEST(Arrivals, OneRowTraceRepeatsAtZero) {
  const TraceTable trace = {{0}, {1}, {1}};
  EXPECT_EQ(Times(Draw(Make(3, TraceArrivals{1}, TraceLengths{}, trace))),
            (std::vector<SimTime>{0, 0, 0}));
}

TEST(Arrivals, SaturateInsteadOfWrapping) {
  const TraceTable trace = {{0, kNever / 2}, {1, 1}, {1, 1}};
  const std::vector<Workload> slow = {
      Make(50, PoissonArrivals{1e-10}),
      Make(50, ConstantArrivals{1e-10}),
      Make(50, BurstArrivals{1, 4e9}),
      Make(50, TraceArrivals{1}, TraceLengths{}, trace),
      Make(50, TraceArrivals{1e-6}, TraceLengths{}, trace),
  };
  for (const Workload& workload : slow) {
    const auto times = Times(Draw(workload));
    EXPECT_TRUE(std::is_sorted(times.begin(), times.end())) << workload.arrivals.process->name();
    EXPECT_GE(times.front(), 0);
    EXPECT_EQ(times.back(), kNever);
  }
}

// ---- Lengths

TEST(Lengths, Fixed) {
  for (const int32_t tokens : DrawInputs(FixedLength{512}, 100)) EXPECT_EQ(tokens, 512);
}

TEST(Lengths, UniformHitsEveryValueEqually) {
  std::vector<int> counts(11);
  for (const int32_t tokens : DrawInputs(UniformLength{3, 10}, 80'000)) {
    ASSERT_GE(tokens, 3);
    ASSERT_LE(tokens, 10);
    ++counts[static_cast<size_t>(tokens)];
  }
  for (size_t value = 3; value <= 10; ++value) EXPECT_NEAR(counts[value], 10'000, 500) << value;
}

TEST(Lengths, UniformOverTheWholeRange) {
  const auto draws = DrawInputs(UniformLength{1, kMaxTokens}, 10'000);
  EXPECT_GE(*std::min_element(draws.begin(), draws.end()), 1);
  EXPECT_NEAR(Mean(draws) / (kMaxTokens / 2), 1, 0.03);
}

TEST(Lengths, LogNormalHasItsMedianAndSigma) {
  auto draws = DrawInputs(LogNormalLength{1000, 0.5, 1, 1'000'000}, 100'000);
  double sum = 0, squares = 0;
  for (const int32_t tokens : draws) {
    const double x = std::log(tokens);
    sum += x;
    squares += x * x;
  }
  const double mean = sum / static_cast<double>(draws.size());
  EXPECT_NEAR(mean, std::log(1000), 0.01);
  EXPECT_NEAR(std::sqrt(squares / static_cast<double>(draws.size()) - mean * mean), 0.5, 0.01);
}

TEST(Lengths, LogNormalIsClamped) {
  const auto draws = DrawInputs(LogNormalLength{100, 3, 50, 200}, 10'000);
  EXPECT_EQ(*std::min_element(draws.begin(), draws.end()), 50);
  EXPECT_EQ(*std::max_element(draws.begin(), draws.end()), 200);
  for (const int32_t tokens : DrawInputs(LogNormalLength{100, 100, 1, 300}, 1000)) {
    ASSERT_TRUE(tokens >= 1 && tokens <= 300) << tokens;
  }
}

TEST(Lengths, QuantilesInterpolate) {
  // Half of the mass evenly in [0, 100], half in [100, 1100].
  const auto draws = DrawInputs(Quantiles(Table({0, 0.5, 1}, {0, 100, 1100})), 100'000);
  EXPECT_NEAR(Mean(draws), 0.5 * 50 + 0.5 * 600, 5);
  const auto small = std::count_if(draws.begin(), draws.end(), [](int32_t x) { return x <= 100; });
  EXPECT_NEAR(static_cast<double>(small) / 100'000, 0.5, 0.006);
  EXPECT_EQ(*std::min_element(draws.begin(), draws.end()), 1);
  EXPECT_LE(*std::max_element(draws.begin(), draws.end()), 1100);
}

TEST(Lengths, EvenAndUnevenGridsOfOneFunctionAgree) {
  // The same line, written on a grid that is searched and on one that is computed.
  const auto even =
      DrawInputs(Quantiles(Table({0, 0.25, 0.5, 0.75, 1}, {1, 251, 501, 751, 1001})), 20'000);
  const auto uneven =
      DrawInputs(Quantiles(Table({0, 0.1, 0.5, 0.9, 1}, {1, 101, 501, 901, 1001})), 20'000);
  ASSERT_EQ(even.size(), uneven.size());
  for (size_t i = 0; i < even.size(); ++i) ASSERT_NEAR(even[i], uneven[i], 1) << i;
}

TEST(Lengths, QuantilesSaturate) {
  for (const int32_t tokens : DrawInputs(Quantiles(Table({0, 1}, {1e12, 1e300})), 100)) {
    EXPECT_EQ(tokens, std::numeric_limits<int32_t>::max());
  }
}

TEST(Lengths, JointUsesTheBinOfTheInput) {
  JointLengths joint;
  joint.input = Table({0, 1}, {1, 60});
  for (const int32_t bin : {10, 20, 30, 40, 50}) {  // not a power of two
    const double output = bin * 100;
    joint.bins.push_back({bin, Table({0, 1}, {output, output})});
  }
  for (const RequestInput& request : Draw(Make(10'000, ConstantArrivals{1}, joint))) {
    // The last bin covers inputs above its own max_input too.
    const int32_t bin = std::min((request.input_tokens + 9) / 10 * 10, 50);
    ASSERT_EQ(request.output_tokens, bin * 100) << request.input_tokens;
  }
}

TEST(Lengths, JointWithOneBin) {
  const JointLengths joint = {Table({0, 1}, {1, 60}), {{5, Table({0, 1}, {9, 9})}}};
  for (const RequestInput& request : Draw(Make(100, ConstantArrivals{1}, joint))) {
    EXPECT_EQ(request.output_tokens, 9);
  }
}

TEST(Lengths, ResampledRowsStayTogether) {
  const TraceTable trace = {{}, {1, 2, 3, 4}, {10, 20, 30, 40}};
  std::vector<int> counts(5);
  for (const RequestInput& request :
       Draw(Make(40'000, PoissonArrivals{1}, TraceLengths{true}, trace))) {
    ASSERT_EQ(request.output_tokens, 10 * request.input_tokens);
    ++counts[static_cast<size_t>(request.input_tokens)];
  }
  for (size_t row = 1; row <= 4; ++row) EXPECT_NEAR(counts[row], 10'000, 400);
}

// ---- Classes, prefix groups, hash ids

TEST(Classes, AreDrawnByShare) {
  Workload workload = Make(40'000, ConstantArrivals{1});
  workload.classes = {{1, std::nullopt}, {6, std::nullopt}, {3, std::nullopt}};
  std::vector<int> counts(3);
  for (const RequestInput& r : Draw(workload)) ++counts[static_cast<size_t>(r.client_class)];
  EXPECT_NEAR(counts[0], 4'000, 300);
  EXPECT_NEAR(counts[1], 24'000, 450);
  EXPECT_NEAR(counts[2], 12'000, 450);
}

TEST(Classes, EachGoesThroughTheTraceOnItsOwn) {
  Workload workload =
      Make(1000, ConstantArrivals{1}, TraceLengths{}, {{}, {1, 2, 3}, {10, 20, 30}});
  workload.classes = {{1, std::nullopt}, {1, TraceLengths{}}};
  int32_t own = 0;
  int32_t all = 0;
  for (const RequestInput& r : Draw(workload)) {
    const int32_t row = r.client_class == 1 ? own++ : all;
    ++all;
    ASSERT_EQ(r.input_tokens, row % 3 + 1);
  }
}

TEST(PrefixGroups, AreDrawnByPopularity) {
  Workload workload = Make(60'000, ConstantArrivals{1});
  const auto counts = [&](double zipf) {
    workload.prefix_groups = PrefixGroupConfig{3, 512, zipf};
    std::vector<int> by_group(4);
    for (const RequestInput& r : Draw(workload)) {
      EXPECT_EQ(r.content.prefix_tokens, 512);
      EXPECT_EQ(r.input_tokens, 513);
      ++by_group[r.content.prefix_group];
    }
    return by_group;
  };
  const auto equal = counts(0);
  EXPECT_EQ(equal[0], 0) << "0 means no group";
  for (size_t group = 1; group <= 3; ++group) EXPECT_NEAR(equal[group], 20'000, 500);
  const auto zipf = counts(1);  // 1 : 1/2 : 1/3
  EXPECT_NEAR(zipf[1], 60'000 * 6.0 / 11, 550);
  EXPECT_NEAR(zipf[2], 60'000 * 3.0 / 11, 550);
  EXPECT_NEAR(zipf[3], 60'000 * 2.0 / 11, 550);
}

TEST(HashIds, ComeWithTheRow) {
  TraceTable trace = {{}, {600, 100, 1200}, {1, 2, 3}};
  trace.hash_ids = {5, 6, 5, 7, 8};
  trace.hash_begin = {0, 2, 2, 5};
  trace.hash_block_tokens = 512;
  Workload workload = Make(300, ConstantArrivals{1}, TraceLengths{true}, trace);
  for (const bool resample : {false, true}) {
    workload.lengths = TraceLengths{resample};
    for (const RequestInput& r : Draw(workload)) {
      const std::vector<int64_t> ids(r.content.hash_ids.begin(), r.content.hash_ids.end());
      const std::vector<int64_t> expected = r.output_tokens == 1   ? std::vector<int64_t>{5, 6}
                                            : r.output_tokens == 2 ? std::vector<int64_t>{}
                                                                   : std::vector<int64_t>{5, 7, 8};
      ASSERT_EQ(ids, expected);
      ASSERT_EQ(r.content.hash_block_tokens, 512);
    }
  }
  workload.prefix_groups = PrefixGroupConfig{2, 64, 0};
  for (const RequestInput& r : Draw(workload)) ASSERT_TRUE(r.content.hash_ids.empty());
}

// A class with lengths of its own has its own prompts too; the others have those of the workload.
TEST(HashIds, AreThoseOfTheClassThatReadsTheTrace) {
  TraceTable trace = {{}, {600, 100}, {1, 2}};
  trace.hash_ids = {5, 6, 7};
  trace.hash_begin = {0, 2, 3};
  trace.hash_block_tokens = 512;
  const IndependentLengths drawn{FixedLength{9}, FixedLength{9}};
  for (const bool own_trace : {true, false}) {
    Workload workload = Make(100, ConstantArrivals{1}, drawn, trace);
    workload.classes = {{1, std::nullopt}, {1, TraceLengths{}}};
    if (!own_trace) {
      workload.lengths = TraceLengths{};
      workload.classes[1].lengths = drawn;
    }
    int from_trace = 0;
    for (const RequestInput& r : Draw(workload)) {
      const bool reads = (r.client_class == 1) == own_trace;
      ASSERT_EQ(r.content.hash_ids.empty(), !reads);
      if (!reads) continue;
      ++from_trace;
      ASSERT_EQ(r.content.hash_ids.size(), r.input_tokens == 600 ? 2u : 1u);
    }
    EXPECT_GT(from_trace, 20);
  }
}

// ---- Streams

const JointLengths& SomeJoint() {
  static const JointLengths joint = {
      Table({0, 0.5, 1}, {1, 100, 4000}),
      {{50, Table({0, 0.5, 1}, {1, 200, 1000})}, {4000, Table({0, 0.5, 1}, {1, 50, 500})}}};
  return joint;
}

// Changes here change every published result: kEngineVersion must then change too.
TEST(Streams, FirstDrawsArePinned) {
  const auto requests = Draw(Make(4, PoissonArrivals{8}, SomeJoint()), 42);
  std::vector<std::tuple<SimTime, int32_t, int32_t>> drawn;
  for (const RequestInput& r : requests) {
    drawn.emplace_back(r.arrival, r.input_tokens, r.output_tokens);
  }
  EXPECT_EQ(drawn, (std::vector<std::tuple<SimTime, int32_t, int32_t>>{
                       {218'826'936, 2107, 204},
                       {289'373'494, 1742, 423},
                       {373'311'107, 1268, 42},
                       {481'256'242, 21, 258},
                   }));
}

TEST(Streams, SameSeedSameDraws) {
  const Workload workload = Make(1000, PoissonArrivals{8}, SomeJoint());
  const auto first = Draw(workload);
  const auto again = Draw(workload);
  const auto other = Draw(workload, kSeed + 1);
  EXPECT_EQ(Times(first), Times(again));
  EXPECT_EQ(Inputs(first), Inputs(again));
  EXPECT_NE(Times(first), Times(other));
  EXPECT_NE(Inputs(first), Inputs(other));
}

TEST(Streams, ArrivalsAndLengthsAreIndependent) {
  const auto base = Draw(Make(1000, PoissonArrivals{8}, SomeJoint()));
  const auto other_lengths =
      Draw(Make(1000, PoissonArrivals{8}, IndependentLengths{UniformLength{1, 9}, FixedLength{3}}));
  EXPECT_EQ(Times(base), Times(other_lengths));
  const auto other_arrivals = Draw(Make(1000, UniformArrivals{0, 1}, SomeJoint()));
  EXPECT_EQ(Inputs(base), Inputs(other_arrivals));
}

// What classes, prefix groups and hash ids add does not change what was there.
TEST(Streams, FeaturesDoNotShiftOtherDraws) {
  const Workload plain = Make(2000, PoissonArrivals{8}, SomeJoint());
  const auto base = Draw(plain);

  Workload prefixed = plain;
  prefixed.prefix_groups = PrefixGroupConfig{20, 512, 1};
  const auto with_prefix = Draw(prefixed);
  Workload classed = plain;
  classed.classes = {{3, std::nullopt}, {1, IndependentLengths{FixedLength{9}, FixedLength{8}}}};
  const auto with_classes = Draw(classed);
  classed.prefix_groups = prefixed.prefix_groups;
  const auto with_both = Draw(classed);

  for (size_t i = 0; i < base.size(); ++i) {
    ASSERT_EQ(with_prefix[i].arrival, base[i].arrival);
    ASSERT_EQ(with_prefix[i].input_tokens, base[i].input_tokens + 512);
    ASSERT_EQ(with_prefix[i].output_tokens, base[i].output_tokens);
    ASSERT_EQ(with_classes[i].arrival, base[i].arrival);
    const bool own = with_classes[i].client_class == 1;
    ASSERT_EQ(with_classes[i].input_tokens, own ? 9 : base[i].input_tokens);
    ASSERT_EQ(with_classes[i].output_tokens, own ? 8 : base[i].output_tokens);
    ASSERT_EQ(with_both[i].client_class, with_classes[i].client_class);
    ASSERT_EQ(with_both[i].content.prefix_group, with_prefix[i].content.prefix_group);
  }
}

TEST(Streams, MoreRequestsExtendTheSameRun) {
  const auto short_run = Draw(Make(100, PoissonArrivals{8}, SomeJoint()));
  auto long_run = Draw(Make(1000, PoissonArrivals{8}, SomeJoint()));
  long_run.resize(100);
  EXPECT_EQ(Times(short_run), Times(long_run));
  EXPECT_EQ(Inputs(short_run), Inputs(long_run));
}

TEST(Streams, BrokenWorkloadsAreInvariantErrors) {
  const TraceTable no_times = {{}, {1}, {1}};
  const std::vector<Workload> broken = {
      Make(1, TraceArrivals{1}, TraceLengths{}, no_times),
      Make(1, ConstantArrivals{1}, TraceLengths{}),
      Make(1, ConstantArrivals{1}, TraceLengths{true}),
      Make(1, ConstantArrivals{1}, JointLengths{Table({0, 1}, {1, 1}), {}}),
      Make(1, ConstantArrivals{1}, IndependentLengths{Quantiles(Table({0}, {1})), {}}),
      Make(1, ConstantArrivals{1}, IndependentLengths{Quantiles(Table({0, 0.5, 1}, {1, 2})), {}}),
  };
  for (const Workload& workload : broken) {
    EXPECT_THROW((void)MakeRequestSource(workload, 0), InvariantError);
  }
}

TEST(Streams, SourceOutlivesItsWorkload) {
  std::unique_ptr<RequestSource> source;
  {
    const TraceTable trace = {{0, 5}, {1, 2}, {3, 4}};
    source = MakeRequestSource(Make(3, TraceArrivals{1}, TraceLengths{}, trace), 0);
  }
  source->Pop();
  ASSERT_NE(source->Peek(), nullptr);
  EXPECT_EQ(source->Peek()->arrival, 5);
  EXPECT_EQ(source->Peek()->output_tokens, 4);
}

}  // namespace
}  // namespace tokensim
