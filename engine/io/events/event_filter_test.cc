#include "engine/io/events/event_filter.h"

#include "engine/io/events/replay_reader.h"
#include "gtest/gtest.h"

namespace tokensim {
namespace {

TEST(EventFilter, EmptyPassesEverything) {
  const CompiledEventFilter filter{v1::EventFilter()};
  EXPECT_TRUE(filter.Passes(v1::EVENT_KIND_ITERATION, 0));
  EXPECT_TRUE(filter.Passes(v1::EVENT_KIND_SIMULATION_ENDED, kNever - 1));
  EXPECT_TRUE(filter.PassesWorker(7));
  EXPECT_TRUE(filter.PassesRequest(7));
}

TEST(EventFilter, KindsTimesWorkersAndIds) {
  v1::EventFilter spec;
  spec.add_kinds(v1::EVENT_KIND_FIRST_TOKEN);
  spec.set_start_time_ns(10);
  spec.set_end_time_ns(20);
  spec.add_workers(3);
  spec.add_workers(1);
  spec.mutable_requests()->add_ids(5);
  const CompiledEventFilter filter{spec};
  EXPECT_TRUE(filter.Passes(v1::EVENT_KIND_FIRST_TOKEN, 10));
  EXPECT_FALSE(filter.Passes(v1::EVENT_KIND_FIRST_TOKEN, 9));
  EXPECT_FALSE(filter.Passes(v1::EVENT_KIND_FIRST_TOKEN, 20));
  EXPECT_FALSE(filter.Passes(v1::EVENT_KIND_ITERATION, 10));
  EXPECT_TRUE(filter.PassesWorker(1));
  EXPECT_FALSE(filter.PassesWorker(2));
  EXPECT_TRUE(filter.PassesRequest(5));
  EXPECT_FALSE(filter.PassesRequest(4));
}

TEST(EventFilter, SamplesAShareOfTheRequestsAndSmallerShareIsSubset) {
  v1::EventFilter tenth;
  tenth.mutable_requests()->set_sample_fraction(0.1);
  v1::EventFilter half;
  half.mutable_requests()->set_sample_fraction(0.5);
  const CompiledEventFilter in_tenth{tenth};
  const CompiledEventFilter in_half{half};
  int count = 0;
  for (int64_t id = 0; id < 100'000; ++id) {
    if (!in_tenth.PassesRequest(id)) continue;
    ++count;
    EXPECT_TRUE(in_half.PassesRequest(id));
  }
  EXPECT_NEAR(count, 10'000, 400);  // 4 standard deviations
}

TEST(CheckReplayOptions, NamesTheBadField) {
  const auto message = [](auto change) {
    ReplayOptions options;
    change(options);
    const auto problem = CheckReplayOptions(options);
    return problem ? problem->field + ": " + problem->what : "";
  };
  using O = ReplayOptions;
  EXPECT_EQ(message([](O&) {}), "");
  EXPECT_EQ(message([](O& o) {
              o.after_sequence = o.until_sequence = 5;  // nothing, as asked
              o.max_batch_bytes = 1024;
            }),
            "");
  EXPECT_NE(message([](O& o) { o.after_sequence = -1; }).find("after_sequence"), std::string::npos);
  EXPECT_NE(message([](O& o) {
              o.after_sequence = 5;
              o.until_sequence = 4;
            }).find("until_sequence"),
            std::string::npos);
  EXPECT_NE(message([](O& o) { o.max_batch_bytes = 10; }).find("max_batch_bytes"),
            std::string::npos);
  EXPECT_NE(message([](O& o) { o.filter.add_kinds(v1::EVENT_KIND_UNSPECIFIED); }).find("kinds"),
            std::string::npos);
  EXPECT_NE(message([](O& o) { o.filter.add_kinds(static_cast<v1::EventKind>(99)); }).find("kinds"),
            std::string::npos);
  EXPECT_NE(message([](O& o) { o.filter.add_workers(-1); }).find("workers"), std::string::npos);
  EXPECT_NE(message([](O& o) { o.filter.mutable_requests()->add_ids(-1); }).find("ids"),
            std::string::npos);
  for (const double bad : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_NE(message([bad](O& o) {
                o.filter.mutable_requests()->set_sample_fraction(bad);
              }).find("sample_fraction"),
              std::string::npos);
  }
  EXPECT_NE(message([](O& o) {
              o.filter.set_start_time_ns(5);
              o.filter.set_end_time_ns(5);
            }).find("end_time_ns"),
            std::string::npos);
}

}  // namespace
}  // namespace tokensim
