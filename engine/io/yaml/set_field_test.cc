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
