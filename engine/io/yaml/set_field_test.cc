#include <gtest/gtest.h>

#include "engine/io/yaml/yaml.h"

namespace tokensim {
namespace {

std::string Set(std::string_view path, std::string_view value, v1::Spec* spec) {
  return std::string(SetField(path, value, spec).message());
}

TEST(SetFieldTest, SetsScalarsAndCreatesMessages) {
  v1::Spec spec;
  EXPECT_EQ(Set("workload.arrival.poisson.rate_per_second", "12.5", &spec), "");
  EXPECT_EQ(Set("slo.ttft_seconds", "250ms", &spec), "");
  EXPECT_EQ(Set("name", "a b", &spec), "");
  EXPECT_EQ(Set("model", "llama2-13b", &spec), "");
  EXPECT_EQ(spec.workload().arrival().poisson().rate_per_second(), 12.5);
  EXPECT_EQ(spec.slo().ttft_seconds(), 0.25);
  EXPECT_EQ(spec.model().preset(), "llama2-13b");
}

TEST(SetFieldTest, ListElements) {
  v1::Spec spec;
  EXPECT_EQ(Set("workers[0].count", "4", &spec), "");
  EXPECT_EQ(Set("workers[1]", "{hardware: h100, count: 2}", &spec), "");
  EXPECT_EQ(Set("workers[0].hardware.memory_bytes", "40GiB", &spec), "");
  ASSERT_EQ(spec.workers_size(), 2);
  EXPECT_EQ(spec.workers(0).count(), 4);
  EXPECT_EQ(spec.workers(0).hardware().memory_bytes(), int64_t{40} << 30);
  EXPECT_EQ(Set("workers[0]", "{count: 9}", &spec), "");
  ASSERT_EQ(spec.workers_size(), 2);
  EXPECT_EQ(spec.workers(0).count(), 9);
  EXPECT_EQ(spec.workers(1).count(), 2);
  EXPECT_EQ(Set("workers", "[{count: 1}]", &spec), "");
  ASSERT_EQ(spec.workers_size(), 1);
  EXPECT_EQ(Set("workload.trace.rows.input_tokens[0]", "7", &spec), "");
  EXPECT_EQ(spec.workload().trace().rows().input_tokens(0), 7);
}

TEST(SetFieldTest, AMemberOfAOneofReplacesTheOther) {
  v1::Spec spec;
  EXPECT_EQ(Set("workload.arrival.poisson.rate_per_second", "1", &spec), "");
  EXPECT_EQ(Set("workload.arrival.burst.size", "3", &spec), "");
  EXPECT_FALSE(spec.workload().arrival().has_poisson());
  EXPECT_EQ(spec.workload().arrival().burst().size(), 3);
  EXPECT_EQ(Set("workers[0].compute.roofline", "", &spec), "");
  EXPECT_TRUE(spec.workers(0).compute().has_roofline());
}

TEST(SetFieldTest, AMessageReplacesTheWhole) {
  v1::Spec spec;
  EXPECT_EQ(Set("slo", "{ttft_seconds: 1s, tpot_seconds: 1s}", &spec), "");
  EXPECT_EQ(Set("slo", "{e2e_seconds: 1s}", &spec), "");
  EXPECT_FALSE(spec.slo().has_ttft_seconds());
  EXPECT_TRUE(spec.slo().has_e2e_seconds());
}

TEST(SetFieldTest, ElementsByName) {
  v1::Spec spec;
  EXPECT_EQ(Set("workers", "[{name: a}, {name: b.c, count: 3}, {}]", &spec), "");
  std::string canonical;
  EXPECT_TRUE(SetField("workers.a.count", "4", &spec, nullptr, &canonical).ok());
  EXPECT_EQ(canonical, "workers[0].count");
  EXPECT_EQ(Set("workers.b.c.hardware.memory_bytes", "40GiB", &spec), "");
  EXPECT_EQ(spec.workers(0).count(), 4);
  EXPECT_EQ(spec.workers(1).hardware().memory_bytes(), int64_t{40} << 30);
  EXPECT_EQ(Set("workers.d.count", "1", &spec),
            "workers.d.count: workers is a list: write workers[0] or workers.a, workers.b.c");
}

TEST(SetFieldTest, RelativeNumbers) {
  v1::Spec spec;
  EXPECT_EQ(
      Set("workers", "[{count: 4, hardware: {memory_bytes: 40GiB, peak_flops: 3TFLOPS}}]", &spec),
      "");
  EXPECT_EQ(Set("workers[0].count", "x2", &spec), "");
  EXPECT_EQ(Set("workers[0].hardware.memory_bytes", "x0.5", &spec), "");
  EXPECT_EQ(Set("workers[0].hardware.peak_flops", "/8", &spec), "");
  EXPECT_EQ(Set("name", "x2", &spec), "");
  EXPECT_EQ(spec.workers(0).count(), 8);
  EXPECT_EQ(spec.workers(0).hardware().memory_bytes(), int64_t{20} << 30);
  EXPECT_EQ(spec.workers(0).hardware().peak_flops(), 375e9);
  EXPECT_EQ(spec.name(), "x2");
  v1::Spec base;
  EXPECT_EQ(Set("output.timeline_points", "256", &base), "");
  EXPECT_TRUE(SetField("output.timeline_points", "/2", &spec, &base).ok());
  EXPECT_EQ(spec.output().timeline_points(), 128);
}

TEST(SetFieldTest, RelativeNumbersThatHaveNoMeaning) {
  v1::Spec spec;
  EXPECT_EQ(Set("workers", "[{count: 3}]", &spec), "");
  EXPECT_EQ(Set("workers[0].count", "x0.5", &spec),
            "workers[0].count: 3 x 0.5 is 1.5, which is not a whole number");
  EXPECT_EQ(
      Set("workers[0].count", "/0", &spec),
      "workers[0].count: expected x and a number, as x2 or x0.5, or / and a number above 0, as "
      "/8; got '/0'");
  EXPECT_EQ(Set("workers[0].count", "x1e9", &spec),
            "workers[0].count: '3000000000' is outside -2147483648 .. 2147483647");
  EXPECT_EQ(Set("seed", "x2", &spec),
            "seed: is not in the spec, so 'x2' of it is not known: write the number itself");
  EXPECT_EQ(spec.workers(0).count(), 3);
}

TEST(SetFieldTest, FlowMapsNeedNoBlanks) {
  v1::Spec spec;
  EXPECT_EQ(Set("workload.lengths.independent", "{input:{uniform:{min:1,max:2}},output: {fixed:3}}",
                &spec),
            "");
  EXPECT_EQ(spec.workload().lengths().independent().input().uniform().max(), 2);
  EXPECT_EQ(spec.workload().lengths().independent().output().fixed(), 3);
  EXPECT_EQ(Set("workers", "[{name:'a:b',hardware:{source:c:d}}]", &spec), "");
  EXPECT_EQ(spec.workers(0).name(), "a:b");
  EXPECT_EQ(spec.workers(0).hardware().source(), "c:d");
}

TEST(SetFieldTest, APresetAndWhatItStandsForReplaceEachOther) {
  v1::Spec spec;
  EXPECT_EQ(Set("workload.lengths", "sharegpt", &spec), "");
  EXPECT_EQ(Set("workload.lengths.independent.input.fixed", "3", &spec), "");
  EXPECT_EQ(spec.workload().lengths().preset(), "");
  EXPECT_EQ(Set("workload.lengths.preset", "sharegpt", &spec), "");
  EXPECT_FALSE(spec.workload().lengths().has_independent());
  EXPECT_EQ(Set("model", "llama2-7b", &spec), "");
  EXPECT_EQ(Set("model.num_layers", "3", &spec), "");
  EXPECT_EQ(spec.model().preset(), "llama2-7b");
}

TEST(SetFieldTest, KeysOfMaps) {
  v1::Spec spec;
  EXPECT_EQ(Set("workers[0].local_scheduler.parameters.x", "3", &spec), "");
  EXPECT_EQ(Set("workers[0].local_scheduler.parameters.a.b", "1", &spec), "");
  EXPECT_EQ(Set("workers[0].local_scheduler.parameters.x", "4", &spec), "");
  EXPECT_EQ(Set("workers[0].local_scheduler.parameters.x", "x2", &spec), "");
  const auto& parameters = spec.workers(0).local_scheduler().parameters();
  EXPECT_EQ(parameters.size(), 2U);
  EXPECT_EQ(parameters.at("x"), 8);
  EXPECT_EQ(parameters.at("a.b"), 1);
  EXPECT_EQ(Set("local_scheduler.parameters.y", "maybe", &spec),
            "local_scheduler.parameters.y: expected a number; got 'maybe'");
  EXPECT_EQ(Set("local_scheduler.parameters.", "1", &spec),
            "local_scheduler.parameters.: parameters has no empty key");
  EXPECT_EQ(
      Set("local_scheduler.parameters.y", "x2", &spec),
      "local_scheduler.parameters.y: is not in the spec, so 'x2' of it is not known: write the "
      "number itself");
  EXPECT_FALSE(spec.has_local_scheduler());
}

TEST(SetFieldTest, ErrorsNameThePathAndChangeNothing) {
  v1::Spec spec;
  ASSERT_EQ(Set("seed", "5", &spec), "");
  const std::string before = spec.SerializeAsString();
  EXPECT_EQ(Set("sed", "1", &spec), "sed: unknown field 'sed'; did you mean seed?");
  EXPECT_EQ(Set("seed", "x", &spec), "seed: expected a whole number; got 'x'");
  EXPECT_EQ(Set("seed.x", "1", &spec), "seed.x: seed has no fields");
  EXPECT_EQ(Set("workers.count", "1", &spec), "workers.count: workers is a list: write workers[0]");
  EXPECT_EQ(Set("workers[1].count", "1", &spec),
            "workers[1].count: workers has 0 elements; the next one is workers[0]");
  EXPECT_EQ(Set("workers[3]", "{}", &spec),
            "workers[3]: workers has 0 elements; the next one is workers[0]");
  EXPECT_EQ(Set("workers[a].count", "1", &spec),
            "workers[a].count: bad index in 'workers[a]'; list elements are written name[0]");
  EXPECT_EQ(Set("workers[", "1", &spec),
            "workers[: bad index in 'workers['; list elements are written name[0]");
  EXPECT_EQ(Set("seed[0]", "1", &spec), "seed[0]: seed is not a list");
  EXPECT_EQ(Set("", "1", &spec).substr(0, 18), ": unknown field ''");
  EXPECT_EQ(Set("seed", "[", &spec).substr(0, 22), "seed: not valid YAML: ");
  EXPECT_EQ(Set("slo.ttft_seconds", "2 parsecs", &spec),
            "slo.ttft_seconds: unknown unit 'parsecs': units are ns, us, \u00B5s, ms, s, min, h");
  EXPECT_EQ(spec.SerializeAsString(), before);
}

}  // namespace
}  // namespace tokensim
