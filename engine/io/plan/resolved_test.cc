// What holds of every resolved specification: it is its own resolution, survives being written as
// YAML, and has every field that applies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>

#include "engine/io/plan/test_messages.h"
#include "engine/io/plan/test_specs.h"
#include "google/protobuf/util/message_differencer.h"

namespace tokensim {
namespace {

namespace fs = std::filesystem;

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;
using ::testing::IsEmpty;

// Findings of a resolved spec that say something does not apply.
std::vector<std::string> Unused(const PreparedSpec& prepared) {
  std::vector<std::string> texts;
  for (const std::string& text : Texts(prepared)) {
    if (text.find("is not used") != std::string::npos ||
        text.find("does not apply") != std::string::npos) {
      texts.push_back(text);
    }
  }
  return texts;
}

void ExpectItsOwnResolution(const PreparedSpec& first) {
  const PreparedSpec second = PrepareSpec(first.resolved, TracePolicy::NoPaths());
  ASSERT_TRUE(second.ok()) << Texts(second).front();
  std::string difference;
  MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&difference);
  EXPECT_TRUE(differencer.Compare(first.resolved, second.resolved)) << difference;
  EXPECT_EQ(second.digest, first.digest);
  EXPECT_THAT(Unused(second), IsEmpty());
}

void ExpectYamlKeepsIt(const PreparedSpec& first) {
  v1::Spec read;
  const auto errors = ParseYaml(ToYaml(first.resolved), "resolved.yaml", &read);
  ASSERT_THAT(errors, IsEmpty()) << errors.front().ToString();
  EXPECT_EQ(PrepareSpec(read, TracePolicy::NoPaths()).digest, first.digest);
}

// Calls `visit` with each example that can be read here.
void ForEachExample(const std::function<void(const std::string&, const PreparedSpec&)>& visit) {
  int examples = 0;
  for (const auto& entry : fs::directory_iterator(TOKENSIM_EXAMPLES_DIR)) {
    if (entry.path().extension() != ".yaml") continue;
    std::ifstream file(entry.path());
    const v1::Spec spec = ParseSpec(std::string(std::istreambuf_iterator<char>(file), {}));
    const std::string dir = entry.path().parent_path().string();
    const std::string& trace = spec.workload().trace().path();
    if (!trace.empty() && !fs::exists(fs::path(dir) / trace)) continue;
    ++examples;
    visit(entry.path().stem().string(), PrepareSpec(spec, TracePolicy::AnyPath(dir)));
  }
  EXPECT_GT(examples, 10);
}

TEST(ResolvedTest, ExamplesAreTheirOwnResolution) {
  ForEachExample([](const std::string& name, const PreparedSpec& prepared) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(prepared.ok());
    ExpectItsOwnResolution(prepared);
    ExpectYamlKeepsIt(prepared);
  });
}

TEST(ResolvedTest, RandomSpecsAreTheirOwnResolution) {
  std::vector<v1::Spec> seeds = {GoodSpec()};
  ForEachExample([&seeds](const std::string&, const PreparedSpec& prepared) {
    if (prepared.resolved.ByteSizeLong() < 20'000) seeds.push_back(prepared.resolved);
  });
  RandomMessages random(17);
  int good = 0;
  for (int i = 0; i < 2'000; ++i) {
    v1::Spec spec = seeds[static_cast<size_t>(i) % seeds.size()];
    for (int edits = 1 + i % 5; edits > 0; --edits) random.Mutate(&spec);
    const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::NoPaths());
    if (!prepared.ok()) continue;
    ++good;
    ExpectItsOwnResolution(prepared);
    if (i % 10 == 0) ExpectYamlKeepsIt(prepared);
    ASSERT_FALSE(HasFailure()) << ToYaml(spec);
  }
  EXPECT_GT(good, 200);
}

// Paths, without indices, of scalar fields that could be set in a message that is there.
void CollectAbsent(const Message& message, const std::string& path, std::set<std::string>* absent) {
  const auto& type = *message.GetDescriptor();
  const auto& reflection = *message.GetReflection();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    const std::string inner = path.empty() ? field->name() : path + "." + field->name();
    if (field->is_map()) continue;
    if (field->message_type() != nullptr) {
      if (!field->is_repeated()) {
        if (reflection.HasField(message, field)) {
          CollectAbsent(reflection.GetMessage(message, field), inner, absent);
        }
      } else {
        for (int j = 0; j < reflection.FieldSize(message, field); ++j) {
          CollectAbsent(reflection.GetRepeatedMessage(message, field, j), inner, absent);
        }
      }
    } else if (!field->is_repeated() && field->has_optional_keyword() &&
               !reflection.HasField(message, field)) {
      absent->insert(inner);
    }
  }
}

// The whole list of what a resolved specification may lack, and why.
const std::set<std::string>& MayBeAbsent() {
  static const std::set<std::string> fields = {
      // Not known of the model or the device, and not needed.
      "model.max_position_embeddings", "model.mtp_layers", "model.moe.shared_intermediate_size",
      "model.moe.latent_size", "workers.hardware.peak_flops", "workers.hardware.peak_8bit_flops",
      "workers.hardware.memory_bytes", "workers.hardware.memory_bandwidth_bytes_per_second",
      "workers.hardware.kernels.error", "workers.hardware.peak_fp8_flops",
      "workers.hardware.peak_int8_flops", "workers.hardware.peak_fp4_flops",
      "workers.hardware.driver_memory_bytes", "workers.hardware.scale_up_devices",
      "workers.hardware.scale_out_bandwidth_bytes_per_second", "workers.hardware.watts",
      "workers.hardware.price", "workers.hardware.kernels.dtype",
      // Of another kind of attention or MLP; what layers say is not said of the model as well.
      "model.head_dim", "model.intermediate_size", "model.num_attention_heads",
      "model.num_kv_heads",
      "model.layers.attention.chunk", "model.layers.attention.compression",
      "model.layers.attention.direct", "model.layers.attention.head_dim",
      "model.layers.attention.kv_rank", "model.layers.attention.num_attention_heads",
      "model.layers.attention.num_kv_heads", "model.layers.attention.output_gate",
      "model.layers.attention.output_groups", "model.layers.attention.output_rank",
      "model.layers.attention.query_rank", "model.layers.attention.rope_dim",
      "model.layers.attention.sliding_window", "model.layers.attention.value_head_dim",
      "model.layers.attention.values_are_keys", "model.layers.mlp.moe.latent_size",
      "model.layers.mlp.moe.shared_intermediate_size", "model.weight_dtypes.mlp",
      "model.weight_dtypes.shared_experts",
      // No limit, no objective.
      "memory_pool.capacity_bytes", "stop.max_events", "stop.max_simulated_seconds",
      // An engine is done with once what it decides has been filled in.
      "engine.graphs_per_sequence",
      "slo.ttft_seconds", "slo.tpot_seconds", "slo.max_itl_seconds", "slo.e2e_seconds",
      "workload.classes.slo.ttft_seconds", "workload.classes.slo.tpot_seconds",
      "workload.classes.slo.max_itl_seconds", "workload.classes.slo.e2e_seconds",
      "workload.conversations.max_context_tokens", "workload.max_in_flight", "report.window.duration_seconds",
      // The capacity follows from the device; the extent is the other of the two.
      "workers.memory.kv_blocks", "workload.num_requests", "workload.duration_seconds",
      // They say how to get others, and are gone when that is done.
      "workers.compute.profile.skew", "workers.hardware.seller", "workload.trace.offset",
      "workload.trace.limit",
      // Of another mode, policy or part of the specification.
      "workers.parallelism.micro_batches", "workers.memory.overlap_swap",
      "workers.memory.reuse_unfindable_first",
      "workers.local_scheduler.reserve_full_prompt", "workers.local_scheduler.oracle_output_length",
      "global_scheduler.intra_node_first", "global_scheduler.affinity_load_factor",
      "global_scheduler.weights.queue_depth", "network.kv_transfer.groups",
      "network.kv_transfer.buffered_groups", "network.sharing", "memory_pool.eviction",
      "faults.events.worker", "faults.events.count", "faults.events.start_delay_seconds",
      "workload.conversations.single_turn_share", "workload.conversations.min_turns",
      "workload.conversations.max_turns", "workload.trace.rows.hash_block_tokens",
      "workers.calibration.request_seconds", "workers.calibration.response_seconds",
      "workers.calibration.iteration_seconds", "workers.calibration.sequence_seconds",
      "workers.calibration.overlaps_host", "workers.calibration.dense_factor",
      "workers.calibration.prefill_dense_factor", "workers.calibration.attention_factor",
      "workers.calibration.layer_seconds", "workers.calibration.all_reduce.latency_seconds",
      "workers.calibration.all_reduce.bandwidth_bytes_per_second", "calibration.iteration_seconds",
      "calibration.sequence_seconds", "calibration.overlaps_host", "calibration.dense_factor",
      "calibration.prefill_dense_factor", "calibration.attention_factor",
      "calibration.layer_seconds", "calibration.warm_up_seconds",
      "calibration.attention_launch_seconds", "calibration.compute_factor",
      "calibration.all_reduce_seconds", "workers.calibration.attention_launch_seconds",
      "workers.calibration.compute_factor", "workers.calibration.all_reduce_seconds"};
  return fields;
}

TEST(ResolvedTest, EveryFieldThatAppliesIsSet) {
  ForEachExample([](const std::string& name, const PreparedSpec& prepared) {
    std::set<std::string> absent;
    CollectAbsent(prepared.resolved, "", &absent);
    for (const std::string& field : absent) {
      std::string path = field;
      const std::string own = "workers.model.";  // a group's model is as the spec's
      if (path.compare(0, own.size(), own) == 0) path = path.substr(8);
      EXPECT_TRUE(MayBeAbsent().contains(path)) << name << " lacks " << field;
    }
  });
}

}  // namespace
}  // namespace tokensim
