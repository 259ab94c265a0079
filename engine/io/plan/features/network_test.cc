// What PrepareSpec says about the network and about how models are split over devices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/compute/compute_model.h"
#include "engine/io/plan/test_specs.h"
#include "engine/io/presets/catalog.h"
#include "engine/network/link_sharing.h"

namespace tokensim {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A group of prefill workers makes transfers possible. Other findings about roles are not ours.
v1::Spec TransferSpec(const Changes& changes) {
  v1::Spec spec = GoodSpec();
  spec.mutable_global_scheduler()->set_migrate_on_pressure(true);
  return Changed(std::move(spec), changes);
}

std::vector<std::string> NetworkFindings(const Changes& changes) {
  std::vector<std::string> texts;
  for (const std::string& text :
       Texts(PrepareSpec(TransferSpec(changes), TracePolicy::NoPaths()))) {
    if (text.find(" network") != std::string::npos) texts.push_back(text);
  }
  return texts;
}

TEST(PrepareNetworkTest, StaysAbsentWithoutTransfers) {
  const PreparedSpec plain = PrepareChanged({});
  EXPECT_FALSE(plain.resolved.has_network());
  EXPECT_EQ(plain.plan->network.intra_node.bandwidth_bytes_per_second, 300e9);
  const PreparedSpec empty = PrepareChanged({{"network", "{}"}});
  EXPECT_THAT(Texts(empty), IsEmpty());
  EXPECT_EQ(empty.digest, plain.digest);
  EXPECT_THAT(FindingsOf({{"network.sharing", "fifo"}}),
              ElementsAre("WARNING network: is not used: no worker hands its requests on"));
}

TEST(PrepareNetworkTest, Defaults) {
  const PreparedSpec prepared = PrepareSpec(TransferSpec({}), TracePolicy::NoPaths());
  ASSERT_TRUE(prepared.ok());
  EXPECT_EQ(prepared.resolved.network().kv_transfer().groups(), 1);
  const NetworkConfig& network = prepared.plan->network;
  EXPECT_EQ(network.intra_node.name, "NVLink 3");
  EXPECT_EQ(network.inter_node.name, "100G Ethernet");
  EXPECT_EQ(network.inter_node.bandwidth_bytes_per_second, 12.5e9);
  EXPECT_EQ(network.inter_node.latency_seconds, 5e-6);
  EXPECT_EQ(network.sharing->name(), "fair");
  EXPECT_EQ(network.mode, TransferMode::kSequential);
  EXPECT_EQ(network.groups, 1);
  // What is resolved stays as it is.
  const PreparedSpec again = PrepareSpec(prepared.resolved, TracePolicy::NoPaths());
  EXPECT_EQ(again.digest, prepared.digest);
  EXPECT_EQ(again.resolved.network().DebugString(), prepared.resolved.network().DebugString());
}

TEST(PrepareNetworkTest, SharingRulesHaveNames) {
  const auto prepare = [](const std::string& network) {
    return PrepareSpec(TransferSpec({{"network", network}}), TracePolicy::NoPaths());
  };
  const PreparedSpec named = prepare("{sharing_policy: fifo}");
  ASSERT_TRUE(named.ok());
  EXPECT_EQ(named.plan->network.sharing->name(), "fifo");
  EXPECT_EQ(Texts(prepare("{sharing_policy: fiar}")).at(0),
            "ERROR network.sharing_policy: unknown sharing rule 'fiar'; did you mean fair?");
  EXPECT_EQ(Texts(prepare("{sharing: fifo, sharing_policy: fair}")).at(0),
            "ERROR network.sharing_policy: does not go with sharing: give one of them");
}

TEST(PrepareNetworkTest, EveryField) {
  const PreparedSpec prepared = PrepareSpec(
      TransferSpec({{"network",
                     "{intra_node: nvlink4, inter_node: {name: ours, bandwidth_bytes_per_second: "
                     "40GB/s}, sharing: fifo, kv_transfer: {mode: buffered, groups: 8, "
                     "buffered_groups: 3}}"}}),
      TracePolicy::NoPaths());
  ASSERT_TRUE(prepared.ok());
  const NetworkConfig& network = prepared.plan->network;
  EXPECT_EQ(network.intra_node.name, "NVLink 4");
  EXPECT_EQ(network.intra_node.bandwidth_bytes_per_second, 450e9);
  EXPECT_EQ(network.intra_node.latency_seconds, 800e-9);
  EXPECT_EQ(network.inter_node.name, "ours");
  EXPECT_EQ(network.inter_node.bandwidth_bytes_per_second, 40e9);
  EXPECT_EQ(network.inter_node.latency_seconds, 0);
  EXPECT_EQ(network.sharing->name(), "fifo");
  EXPECT_EQ(network.mode, TransferMode::kBuffered);
  EXPECT_EQ(network.groups, 8);
  EXPECT_EQ(network.buffered_groups, 3);
  const PreparedSpec layerwise =
      PrepareSpec(TransferSpec({{"network.kv_transfer.mode", "layerwise"},
                                {"network.intra_node", "{name: pcie5, latency_seconds: 1ms}"}}),
                  TracePolicy::NoPaths());
  ASSERT_TRUE(layerwise.ok());
  EXPECT_EQ(layerwise.plan->network.mode, TransferMode::kLayerwise);
  EXPECT_EQ(layerwise.plan->network.intra_node.bandwidth_bytes_per_second, 64e9);
  EXPECT_EQ(layerwise.plan->network.intra_node.latency_seconds, 1e-3);
}

TEST(PrepareNetworkTest, Links) {
  EXPECT_THAT(NetworkFindings({{"network.intra_node", "nvlink9"}}),
              ElementsAre(HasSubstr("ERROR network.intra_node.name: unknown link preset 'nvlink9'; "
                                    "did you mean nvlink3 or nvlink4?")));
  EXPECT_THAT(
      NetworkFindings({{"network.intra_node.bandwidth_bytes_per_second", "-1"},
                       {"network.inter_node.bandwidth_bytes_per_second", "10"},
                       {"network.inter_node.latency_seconds", "-1s"}}),
      ElementsAre(HasSubstr("ERROR network.intra_node.bandwidth_bytes_per_second: is -1; allowed"),
                  "ERROR network.inter_node.latency_seconds: is -1; allowed are 0 .. 1000",
                  "ERROR network.inter_node.bandwidth_bytes_per_second: is 10; it must be 0 (not "
                  "limited) or at least 1kB/s"));
  EXPECT_THAT(NetworkFindings({{"network.intra_node.bandwidth_bytes_per_second", "0"}}), IsEmpty());
}

TEST(PrepareNetworkTest, SharingAndMode) {
  EXPECT_THAT(NetworkFindings({{"network.sharing", "9"}, {"network.kv_transfer.mode", "9"}}),
              ElementsAre("ERROR network.sharing: is not a sharing rule; allowed are fifo, fair",
                          "ERROR network.kv_transfer.mode: is not a transfer mode; allowed are "
                          "sequential, buffered, layerwise"));
}

TEST(PrepareNetworkTest, Groups) {
  EXPECT_THAT(NetworkFindings({{"network.kv_transfer.groups", "10001"}}),
              ElementsAre("ERROR network.kv_transfer.groups: is 10001; allowed are 1 .. 10,000"));
  EXPECT_THAT(
      NetworkFindings({{"network.kv_transfer", "{mode: buffered, groups: 4, buffered_groups: 5}"}}),
      ElementsAre("ERROR network.kv_transfer.buffered_groups: is 5; allowed are 1 .. 4"));
  EXPECT_THAT(NetworkFindings({{"network.kv_transfer", "{mode: buffered}"}}),
              ElementsAre("WARNING network.kv_transfer.groups: is 1: buffered is then the same as "
                          "sequential"));
  EXPECT_THAT(NetworkFindings({{"network.kv_transfer", "{mode: buffered, groups: 2}"}}), IsEmpty());
  EXPECT_THAT(
      NetworkFindings(
          {{"network.kv_transfer", "{mode: layerwise, groups: 4, buffered_groups: 2}"}}),
      ElementsAre("WARNING network.kv_transfer.groups: is not used: with layerwise a group is a "
                  "layer",
                  "WARNING network.kv_transfer.buffered_groups: is not used: it needs mode: "
                  "buffered"));
}

TEST(PrepareNetworkTest, LinkPresetsAreComplete) {
  EXPECT_THAT(LinkPresetNames(),
              ElementsAre("eth-100g", "ib-hdr", "ib-ndr", "nvlink3", "nvlink4", "pcie4", "pcie5"));
  for (const std::string& name : LinkPresetNames()) {
    const v1::Interconnect* link = FindLinkPreset(name);
    ASSERT_NE(link, nullptr) << name;
    EXPECT_NE(link->name(), "") << name;
    EXPECT_GE(link->bandwidth_bytes_per_second(), 12.5e9) << name;
    EXPECT_GT(link->latency_seconds(), 0) << name;
  }
}

TEST(PrepareParallelismTest, OnesAreLeftOut) {
  const PreparedSpec plain = PrepareChanged({});
  const PreparedSpec ones =
      PrepareChanged({{"workers[0].parallelism", "{tensor: 1, pipeline: 1, data: 1, expert: 1}"}});
  EXPECT_THAT(Texts(ones), IsEmpty());
  EXPECT_EQ(ones.digest, plain.digest);
}

TEST(PrepareParallelismTest, Pipeline) {
  EXPECT_THAT(FindingsOf({{"workers[0].parallelism.pipeline", "3"}}),
              ElementsAre("ERROR workers[0].parallelism.pipeline: is 3; it must divide the model's "
                          "layers, 32"));
  EXPECT_THAT(FindingsOf({{"workers[0].parallelism.pipeline", "0"}}),
              ElementsAre("ERROR workers[0].parallelism.pipeline: is 0; allowed are 1 .. 1,024"));
  EXPECT_THAT(
      FindingsOf({{"workers[0].parallelism", "{pipeline: 2, micro_batches: 2000}"}}),
      ElementsAre("ERROR workers[0].parallelism.micro_batches: is 2000; allowed are 1 .. 1,024"));
  EXPECT_THAT(FindingsOf({{"workers[0].parallelism.micro_batches", "4"}}),
              ElementsAre("WARNING workers[0].parallelism.micro_batches: is not used: it needs "
                          "pipeline stages"));
  EXPECT_THAT(FindingsOf({{"workers[0].hardware",
                           "{peak_flops: 1TFLOPS, memory_bytes: 80GiB, "
                           "memory_bandwidth_bytes_per_second: 1TB/s}"},
                          {"workers[0].parallelism.pipeline", "2"}}),
              ElementsAre("ERROR workers[0].hardware.interconnect.bandwidth_bytes_per_second: is "
                          "missing: the worker's devices exchange activations over it"));
}

TEST(PrepareParallelismTest, StagesHoldMoreKv) {
  const PreparedSpec one = PrepareChanged({});
  const PreparedSpec four = PrepareChanged({{"workers[0].parallelism.pipeline", "4"}});
  ASSERT_TRUE(four.ok());
  EXPECT_EQ(four.resolved.workers(0).parallelism().micro_batches(), 4);
  EXPECT_EQ(four.workers[0].kv_bytes_per_token(), one.workers[0].kv_bytes_per_token());
  EXPECT_GT(four.workers[0].kv_blocks(), 4 * one.workers[0].kv_blocks());
  EXPECT_LT(4 * four.workers[0].weight_bytes_per_device(),
            one.workers[0].weight_bytes_per_device() * 11 / 10);
  // The plan's compute model has the stages.
  const IterationShape shape{.decode_count = 1, .decode_context = 100, .sampled_count = 1};
  EXPECT_GT(four.plan->workers[0].compute->IterationSeconds(shape),
            one.plan->workers[0].compute->IterationSeconds(shape));
}

TEST(PrepareParallelismTest, Experts) {
  const Changes mixtral = {{"model", "mixtral-8x7b"}, {"workers[0].hardware", "h200"}};
  const auto findings = [&](const std::string& parallelism) {
    Changes changes = mixtral;
    changes.emplace_back("workers[0].parallelism", parallelism);
    return FindingsOf(changes);
  };
  EXPECT_THAT(findings("{tensor: 4, expert: 4}"), IsEmpty());
  EXPECT_THAT(findings("{tensor: 0, expert: 0}"),
              ElementsAre("ERROR workers[0].parallelism.tensor: is 0; allowed are 1 .. 1,024",
                          "ERROR workers[0].parallelism.expert: is 0; allowed are 1 .. 1,024"));
  EXPECT_THAT(
      findings("{tensor: 4, expert: 2}"),
      ElementsAre("ERROR workers[0].parallelism.expert: is 2; it must be 1 or equal to tensor, 4"));
  EXPECT_THAT(findings("{tensor: 2, data: 2, expert: 8}"),
              ElementsAre("ERROR workers[0].parallelism.expert: is 8; it must be 1 or equal to "
                          "tensor, 2, or tensor x data, 4"));
  EXPECT_THAT(findings("{tensor: 16, expert: 16}"),
              Contains("ERROR workers[0].parallelism.expert: is 16; it must divide the model's "
                       "experts, 8"));
  EXPECT_THAT(FindingsOf({{"workers[0].parallelism", "{tensor: 2, expert: 2}"}}),
              ElementsAre("ERROR workers[0].parallelism.expert: needs a model with experts "
                          "(model.moe)"));
}

TEST(PrepareParallelismTest, ReplicasThatShareTheirExpertsRunInLockstep) {
  const Changes mixtral = {{"model", "mixtral-8x7b"},
                           {"workers[0].hardware", "h200"},
                           {"workers[0].count", "2"},
                           {"workers[0].parallelism", "{tensor: 1, data: 2, expert: 2}"}};
  const PreparedSpec prepared = PrepareChanged(mixtral);
  ASSERT_TRUE(prepared.ok());
  ASSERT_EQ(prepared.plan->workers.size(), 4U);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(prepared.plan->workers[i].lockstep_first, i < 2 ? 0 : 2);
    EXPECT_EQ(prepared.plan->workers[i].lockstep_ranks, 2);
  }
  // Behind another group they wait for each other, not for that one.
  Changes second = mixtral;
  second.insert(second.begin(), {"workers", "[{count: 3, hardware: h200}, {}]"});
  for (size_t i = 1; i < second.size(); ++i) {
    std::string& path = second[i].first;
    if (path.starts_with("workers[0]")) path.replace(0, 10, "workers[1]");
  }
  second.emplace_back("workers[0].parallelism", "{tensor: 2}");
  const PreparedSpec behind = PrepareChanged(second);
  ASSERT_TRUE(behind.ok());
  ASSERT_EQ(behind.plan->workers.size(), 7U);
  for (size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(behind.plan->workers[i].lockstep_first, i < 3 ? -1 : i < 5 ? 3 : 5);
  }
  const auto findings = [&](const std::string& path, const std::string& value) {
    Changes changes = mixtral;
    changes.emplace_back(path, value);
    return FindingsOf(changes);
  };
  EXPECT_THAT(findings("workers[0].local_scheduler.policy", "orca"),
              ElementsAre("ERROR workers[0].local_scheduler.policy: does not go with replicas that "
                          "share their experts (expert = tensor x data); only chunked does"));
  EXPECT_THAT(findings("workers[0].initial_count", "1"),
              ElementsAre("ERROR workers[0].initial_count: does not go with replicas that share "
                          "their experts (expert = tensor x data)"));
  EXPECT_THAT(findings("faults.events", "[{at_seconds: 1, group: gpu, action: fail, worker: 0}]"),
              ElementsAre("ERROR faults.events[0].group: has replicas that share their experts, "
                          "which do not fail or scale alone"));
}

TEST(PrepareParallelismTest, ReplicasAreWorkers) {
  const PreparedSpec prepared = PrepareChanged({{"workers[0].count", "2"},
                                                {"workers[0].parallelism.data", "3"},
                                                {"workers[1]", "{hardware: h100}"}});
  ASSERT_TRUE(prepared.ok());
  ASSERT_EQ(prepared.plan->workers.size(), 7U);
  EXPECT_EQ(prepared.plan->workers[5].name, "gpu/5");
  EXPECT_EQ(prepared.plan->workers[6].name, "group1/0");
  EXPECT_EQ(prepared.workers[0].count(), 6);
  EXPECT_THAT(FindingsOf({{"workers[0].parallelism.data", "0"}}),
              ElementsAre("ERROR workers[0].parallelism.data: is 0; allowed are 1 .. 100,000"));
  EXPECT_THAT(FindingsOf({{"workers[0].count", "2000"}, {"workers[0].parallelism.data", "100"}}),
              ElementsAre("ERROR workers: are 200,000 in all; at most 100,000 are allowed"));
}

TEST(PrepareNetworkTest, GroupsHaveTheirOwnConnections) {
  v1::Spec spec = ParseSpec(R"(
model: llama2-7b
workers:
  - {name: p, count: 2, hardware: a100-80g, node: 0, role: prefill, connection: pcie4}
  - {name: d, count: 1, hardware: a100-80g, node: 0, role: decode,
     connection: {name: own, bandwidth_bytes_per_second: 1GB/s, latency_seconds: 1ms}}
  - {name: e, count: 1, hardware: a100-80g, node: 0, role: decode}
workload:
  num_requests: 1
  arrival: {burst: {}}
  lengths: {independent: {input: {fixed: 1}, output: {fixed: 1}}}
)");
  const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::NoPaths());
  EXPECT_THAT(Texts(prepared), IsEmpty());
  ASSERT_TRUE(prepared.ok());
  const std::vector<LinkConfig>& links = prepared.plan->network.connections;
  ASSERT_EQ(links.size(), 4u);
  EXPECT_EQ(links[0].bandwidth_bytes_per_second,
            FindLinkPreset("pcie4")->bandwidth_bytes_per_second());
  EXPECT_EQ(links[1].name, links[0].name);
  EXPECT_EQ(links[2].bandwidth_bytes_per_second, 1e9);
  EXPECT_EQ(links[2].latency_seconds, 1e-3);
  EXPECT_EQ(links[3].bandwidth_bytes_per_second,
            prepared.plan->network.intra_node.bandwidth_bytes_per_second);
  EXPECT_EQ(PrepareSpec(prepared.resolved, TracePolicy::NoPaths()).digest, prepared.digest);
  spec.mutable_workers(1)->mutable_connection()->clear_bandwidth_bytes_per_second();
  EXPECT_THAT(Texts(PrepareSpec(spec, TracePolicy::NoPaths())),
              ElementsAre(HasSubstr("workers[1].connection.name: unknown link preset 'own'")));
  EXPECT_THAT(
      FindingsOf({{"workers[0].connection", "pcie4"}}),
      ElementsAre("WARNING workers[0].connection: is not used: no worker hands its requests "
                  "on"));
  EXPECT_TRUE(PrepareChanged({}).plan->network.connections.empty());
}

}  // namespace
}  // namespace tokensim
