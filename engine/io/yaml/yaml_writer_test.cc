#include <gtest/gtest.h>

#include "engine/io/plan/test_messages.h"
#include "engine/io/yaml/yaml.h"
#include "google/protobuf/util/message_differencer.h"
#include "tokensim/v1/events.pb.h"
#include "tokensim/v1/report.pb.h"
#include "tokensim/v1/simulation.pb.h"

namespace tokensim {
namespace {

template <typename Message>
void ExpectRoundTrip(const Message& message) {
  const std::string yaml = ToYaml(message);
  Message parsed;
  for (const YamlError& e : ParseYaml(yaml, "f", &parsed)) {
    FAIL() << e.ToString() << "\n" << yaml;
  }
  ASSERT_TRUE(google::protobuf::util::MessageDifferencer::Equals(message, parsed))
      << yaml << "\n"
      << message.DebugString() << "\n"
      << parsed.DebugString();
}

TEST(YamlWriterTest, ReadsWell) {
  v1::Spec spec;
  spec.set_name("Llama-2-7B on one A100, ShareGPT");
  spec.set_seed(7);
  spec.mutable_model()->set_weight_dtype(v1::DATA_TYPE_BF16);
  v1::WorkerGroup* group = spec.add_workers();
  group->set_name("gpu");
  group->mutable_hardware()->set_memory_bytes(int64_t{80} << 30);
  group->mutable_hardware()->set_peak_flops(312e12);
  group->mutable_compute()->mutable_roofline();
  spec.add_workers()->set_count(2);
  spec.mutable_workload()->mutable_trace()->mutable_rows()->add_input_tokens(5);
  spec.mutable_workload()->mutable_trace()->mutable_rows()->add_input_tokens(6);
  EXPECT_EQ(ToYaml(spec), R"(name: "Llama-2-7B on one A100, ShareGPT"
model:
  weight_dtype: bf16
workers:
  - name: gpu
    hardware:
      peak_flops: 312TFLOPS
      memory_bytes: 80GiB
    compute:
      roofline: {}
  - count: 2
workload:
  trace:
    rows:
      input_tokens: [5, 6]
seed: 7
)");
  ExpectRoundTrip(spec);
}

TEST(YamlWriterTest, LongListsAreWrapped) {
  v1::Spec spec;
  for (int i = 0; i < 1000; ++i) {
    spec.mutable_workload()->mutable_trace()->mutable_rows()->add_output_tokens(100'000 + i);
  }
  const std::string yaml = ToYaml(spec);
  size_t start = 0;
  for (size_t end = yaml.find('\n'); end != std::string::npos; end = yaml.find('\n', start)) {
    EXPECT_LE(end - start, 100);
    start = end + 1;
  }
  ExpectRoundTrip(spec);
}

TEST(YamlWriterTest, MapsAreSorted) {
  v1::Simulation simulation;
  (*simulation.mutable_labels())["team"] = "a b";
  (*simulation.mutable_labels())["null"] = "";
  EXPECT_EQ(ToYaml(simulation), "labels:\n  \"null\": \"\"\n  team: a b\n");
  ExpectRoundTrip(simulation);
}

TEST(YamlWriterTest, RandomMessagesReadBack) {
  RandomMessages random(11);
  for (int i = 0; i < 400 && !testing::Test::HasFatalFailure(); ++i) {
    const double density = 0.1 + 0.8 * (i % 10) / 10;
    v1::Spec spec;
    random.Fill(density, &spec);
    ExpectRoundTrip(spec);
    v1::Report report;
    random.Fill(density, &report);
    ExpectRoundTrip(report);
    v1::Event event;
    random.Fill(density, &event);
    ExpectRoundTrip(event);
  }
}

}  // namespace
}  // namespace tokensim
