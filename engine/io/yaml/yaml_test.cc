#include "engine/io/yaml/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tokensim/v1/report.pb.h"
#include "tokensim/v1/simulation.pb.h"

namespace tokensim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

std::vector<std::string> Errors(std::string_view text) {
  v1::Spec spec;
  std::vector<std::string> errors;
  for (const YamlError& e : ParseYaml(text, "s.yaml", &spec)) errors.push_back(e.ToString());
  return errors;
}

v1::Spec Parse(std::string_view text) {
  v1::Spec spec;
  for (const YamlError& e : ParseYaml(text, "s.yaml", &spec)) ADD_FAILURE() << e.ToString();
  return spec;
}

TEST(YamlTest, ReadsEveryKindOfValue) {
  const v1::Spec spec = Parse(R"(
name: "A: b"
seed: 42
model: {preset: llama2-7b, weight_dtype: fp8, tie_word_embeddings: yes}
workers:
  - hardware: {memory_bytes: 80GiB, peak_flops: 312TFLOPS, kernel_launch_seconds: 6.6us}
    count: 2e1
  - hardware: h100
workload:
  trace: {rows: {input_tokens: [1, 2], arrival_delta_ns: [0, 1ms]}}
)");
  EXPECT_EQ(spec.name(), "A: b");
  EXPECT_EQ(spec.seed(), 42);
  EXPECT_EQ(spec.model().weight_dtype(), v1::DATA_TYPE_FP8);
  EXPECT_TRUE(spec.model().tie_word_embeddings());
  EXPECT_EQ(spec.workers(0).hardware().memory_bytes(), int64_t{80} << 30);
  EXPECT_EQ(spec.workers(0).hardware().peak_flops(), 312e12);
  EXPECT_EQ(spec.workers(0).hardware().kernel_launch_seconds(), 6.6e-6);
  EXPECT_EQ(spec.workers(0).count(), 20);
  EXPECT_EQ(spec.workers(1).hardware().preset(), "h100");
  EXPECT_EQ(spec.workload().trace().rows().input_tokens(1), 2);
  EXPECT_EQ(spec.workload().trace().rows().arrival_delta_ns(1), 1'000'000);
}

TEST(YamlTest, ScalarsStandForTheFirstStringField) {
  const v1::Spec spec = Parse("model: llama2-7b\nworkload: {lengths: sharegpt}");
  EXPECT_EQ(spec.model().preset(), "llama2-7b");
  EXPECT_EQ(spec.workload().lengths().preset(), "sharegpt");
}

TEST(YamlTest, NothingAndBracesAreEmptyMessages) {
  const v1::Spec spec = Parse(R"(
workers: [{compute: {roofline: }}]
workload: {arrival: {trace: {}}, lengths: {trace: ~}}
)");
  EXPECT_TRUE(spec.workers(0).compute().has_roofline());
  EXPECT_TRUE(spec.workload().arrival().has_trace());
  EXPECT_TRUE(spec.workload().lengths().has_trace());
}

TEST(YamlTest, EmptyDocumentsAreEmptyMessages) {
  for (const char* text : {"", "# nothing\n", "---\n", "{}", "~"}) {
    EXPECT_EQ(Parse(text).ByteSizeLong(), 0) << text;
  }
}

TEST(YamlTest, EnumsByShortOrFullNameInAnyCase) {
  for (const char* name : {"bf16", "BF16", "DATA_TYPE_BF16", "data_type_bf16", "2"}) {
    EXPECT_EQ(Parse(std::string("model: {weight_dtype: ") + name + "}").model().weight_dtype(),
              v1::DATA_TYPE_BF16)
        << name;
  }
}

TEST(YamlTest, MapsAndEnumsWithoutPrefix) {
  v1::Simulation simulation;
  EXPECT_THAT(ParseYaml("state: running\nlabels: {team: a, run: 7}", "f", &simulation), IsEmpty());
  EXPECT_EQ(simulation.state(), v1::Simulation::RUNNING);
  EXPECT_EQ(simulation.labels().at("run"), "7");
}

TEST(YamlTest, AliasesRepeatValues) {
  const v1::Spec spec = Parse(R"(
workers:
  - &gpu {hardware: h100, count: 3}
  - *gpu
)");
  EXPECT_EQ(spec.workers(1).count(), 3);
  EXPECT_EQ(spec.workers(1).hardware().preset(), "h100");
}

TEST(YamlTest, LinesOfFields) {
  v1::Spec spec;
  FieldLines lines;
  EXPECT_THAT(ParseYaml("name: x\nworkers:\n  - hardware: h100\n    memory:\n      block_size: 8\n",
                        "f", &spec, &lines),
              IsEmpty());
  EXPECT_THAT(lines, ElementsAre(Pair("name", 1), Pair("workers", 2), Pair("workers[0]", 3),
                                 Pair("workers[0].hardware", 3), Pair("workers[0].memory", 4),
                                 Pair("workers[0].memory.block_size", 5)));
}

TEST(YamlErrorTest, UnknownFieldsNameTheNearest) {
  EXPECT_THAT(Errors("worker: []"),
              ElementsAre("s.yaml:1: unknown field 'worker'; did you mean workers?"));
  EXPECT_THAT(
      Errors("slo:\n  latency: 3"),
      ElementsAre("s.yaml:2: slo: unknown field 'latency'; fields are ttft_seconds, tpot_seconds, "
                  "max_itl_seconds, e2e_seconds"));
  EXPECT_THAT(Errors("workers: [{compute: {roofline: {x: 1}}}]"),
              ElementsAre("s.yaml:1: workers[0].compute.roofline: unknown field 'x'; it has no "
                          "fields: write {}"));
}

TEST(YamlErrorTest, WrongShapes) {
  EXPECT_THAT(Errors("seed: [1]"), ElementsAre("s.yaml:1: seed: expected a value, got a list"));
  EXPECT_THAT(Errors("seed:"), ElementsAre("s.yaml:1: seed: expected a value, got nothing"));
  EXPECT_THAT(Errors("workers: {count: 2}"),
              ElementsAre("s.yaml:1: workers: expected a list ([a, b] or lines that begin with -), "
                          "got a mapping"));
  EXPECT_THAT(Errors("slo: 3"),
              ElementsAre("s.yaml:1: slo: expected fields (ttft_seconds, tpot_seconds, "
                          "max_itl_seconds, e2e_seconds), got a single value"));
  EXPECT_THAT(Errors("just text"),
              ElementsAre("s.yaml:1: expected fields (name: value), got a single value"));
  EXPECT_THAT(Errors("{[a]: 1}"), ElementsAre("s.yaml:1: a field name must be a single word"));
}

TEST(YamlErrorTest, BadValues) {
  EXPECT_THAT(Errors("seed: 1.5"),
              ElementsAre("s.yaml:1: seed: expected a whole number; got '1.5'"));
  EXPECT_THAT(
      Errors("workers: [{count: 3e9}]"),
      ElementsAre("s.yaml:1: workers[0].count: '3e9' is outside -2147483648 .. 2147483647"));
  EXPECT_THAT(Errors("model: {tie_word_embeddings: maybe}"),
              ElementsAre("s.yaml:1: model.tie_word_embeddings: expected true or false, got "
                          "'maybe'"));
  EXPECT_THAT(Errors("model: {weight_dtype: bf61}"),
              ElementsAre("s.yaml:1: model.weight_dtype: unknown value 'bf61'; allowed are fp32, "
                          "bf16, fp16, fp8, int8, int4, fp8_block, mxfp4, nvfp4, "
                          "int4_g128, int4_g32; did you mean bf16?"));
  EXPECT_THAT(
      Errors("workers:\n  - hardware:\n      memory_bytes: 80Gb"),
      ElementsAre("s.yaml:3: workers[0].hardware.memory_bytes: unknown unit 'Gb': units are "
                  "B, kB, KB, KiB, MB, MiB, GB, GiB, TB, TiB; did you mean GB?"));
}

TEST(YamlErrorTest, TwoMembersOfAOneof) {
  EXPECT_THAT(Errors("workload:\n  arrival:\n    poisson: {rate_per_second: 1}\n    burst: {}"),
              ElementsAre("s.yaml:4: workload.arrival.poisson: poisson and burst exclude each "
                          "other; give one of them"));
}

TEST(YamlErrorTest, DuplicateKeys) {
  EXPECT_THAT(Errors("seed: 1\nname: x\nseed: 2"),
              ElementsAre("s.yaml:3: seed: given twice; first at line 1"));
}

TEST(YamlErrorTest, AllErrorsAtOnceUpToAHundred) {
  EXPECT_THAT(Errors("a: 1\nseed: x\nb: 2"), SizeIs(3));
  std::string many;
  for (int i = 0; i < 500; ++i) many += "zzz" + std::to_string(i) + ": 1\n";
  const auto errors = Errors(many);
  EXPECT_THAT(errors, SizeIs(101));
  EXPECT_THAT(errors.back(), HasSubstr("more errors follow"));
}

TEST(YamlErrorTest, BadSyntax) {
  EXPECT_THAT(Errors("name: [a\nseed: }"), ElementsAre(HasSubstr("s.yaml:2: not valid YAML: ")));
  EXPECT_THAT(Errors(R"(name: "a\_b")"), ElementsAre("s.yaml:1: an escape that is not UTF-8"));
  EXPECT_THAT(Errors("name: \xff"), ElementsAre("s.yaml:1: not valid UTF-8"));
  EXPECT_THAT(Errors(std::string_view("seed: 1\n\0", 9)),
              ElementsAre("s.yaml:2: NUL byte: not a text file"));
  EXPECT_THAT(Errors("seed: 1\n---\nseed: 2"),
              ElementsAre("s.yaml:2: a second document; one is allowed"));
  EXPECT_THAT(Errors("seed: !int 1"), ElementsAre("s.yaml:1: tags (!...) are not used here"));
  EXPECT_THAT(Errors("name: *nothing"), ElementsAre(HasSubstr("not valid YAML: ")));
  EXPECT_THAT(Errors("model: &a {moe: *a}"),
              ElementsAre("s.yaml:1: alias of a node it is part of"));
}

TEST(YamlErrorTest, NestingIsBounded) {
  EXPECT_THAT(Errors(std::string(100, '[')), SizeIs(1));
  EXPECT_THAT(Errors(std::string(100, '[') + std::string(100, ']')),
              ElementsAre("s.yaml:1: nested deeper than 64 levels"));
  EXPECT_THAT(Errors(std::string(100'000, '[')), SizeIs(1));
  std::string keys;
  for (int i = 0; i < 2000; ++i) keys += "? ";
  EXPECT_THAT(Errors(keys), SizeIs(1));
}

// Each alias of four bytes stands for 20 values.
std::string Bomb(int aliases) {
  std::string text =
      "workers: [&w {name: a, count: 1, model: {preset: a, name: b, source: c, num_layers: 1, "
      "moe: {num_experts: 2}}, hardware: {preset: a, name: b, source: c, interconnect: {name: l}}, "
      "parallelism: {tensor: 1}, memory: {block_size: 1}, local_scheduler: {policy: p}}";
  for (int i = 0; i < aliases; ++i) text += ",*w";
  return text + "]";
}

TEST(YamlErrorTest, AliasesAreExpandedUpToABound) {
  v1::Spec spec;
  EXPECT_THAT(ParseYaml(Bomb(1'000), "s.yaml", &spec), IsEmpty());
  EXPECT_EQ(spec.workers_size(), 1'001);
  EXPECT_THAT(Errors(Bomb(400'000)),
              ElementsAre(HasSubstr("more than 5000000 values, aliases expanded")));
}

TEST(YamlErrorTest, HugeInputsAreRefused) {
  const std::string text(size_t{65} << 20, ' ');
  EXPECT_THAT(Errors(text), ElementsAre(HasSubstr("longer than 64 MiB")));
}

}  // namespace
}  // namespace tokensim
