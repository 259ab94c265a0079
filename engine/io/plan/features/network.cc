#include "engine/io/plan/features/network.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/link.h"
#include "engine/io/plan/features/placement.h"
#include "engine/io/plan/features/roles.h"
#include "engine/io/plan/fields.h"
#include "engine/io/plan/policy_fields.h"
#include "engine/network/sharing_registry.h"

namespace tokensim {
namespace {

constexpr char kDefaultIntraNode[] = "nvlink3";
constexpr char kDefaultInterNode[] = "eth-100g";
constexpr int32_t kMaxGroups = 10'000;
constexpr char kNoTransfers[] = "no worker hands its requests on";

constexpr FieldRule kMode[] = {
    Enumeration("mode", "a transfer mode").Default(v1::TRANSFER_MODE_SEQUENTIAL)};
// Not with layerwise.
constexpr FieldRule kGroups[] = {Integer("groups", 1, kMaxGroups).Default(1)};
// With buffered; the default is 2, or all of fewer groups.
constexpr FieldRule kBuffered[] = {Integer("buffered_groups", 1, kMaxGroups)};
constexpr FieldRule kSharing[] = {Enumeration("sharing", "a sharing rule")};

void ResolveBuffered(const Checker& check, v1::KvTransfer* transfer) {
  if (!transfer->has_buffered_groups()) {
    transfer->set_buffered_groups(std::min(2, transfer->groups()));
  }
  if (check.Range("buffered_groups", transfer->buffered_groups(), 1, transfer->groups()) &&
      transfer->groups() == 1) {
    check.Warning("groups", "is 1: buffered is then the same as sequential");
  }
}

void ResolveKvTransfer(const Checker& check, v1::KvTransfer* transfer) {
  if (!ResolveFields(check, kMode, transfer)) return;
  if (transfer->mode() == v1::TRANSFER_MODE_LAYERWISE) {
    RemoveUnused(check, kGroups, "with layerwise a group is a layer", transfer);
  } else if (!ResolveFields(check, kGroups, transfer)) {
    return;
  }
  if (transfer->mode() == v1::TRANSFER_MODE_BUFFERED) {
    ResolveBuffered(check, transfer);
  } else {
    RemoveUnused(check, kBuffered, "it needs mode: buffered", transfer);
  }
}

std::string SharingName(const Checker& check, const v1::Network& network) {
  return PolicyName(check, "sharing", "sharing_policy", kDefaultSharing, network);
}

void ResolveSharing(const Checker& check, v1::Network* network) {
  if (!ResolveFields(check, kSharing, network)) return;
  const std::string name = SharingName(check, *network);
  if (!CheckPolicyName(check, "sharing_policy", name, SharingRules())) return;
  const SharingRuleEntry* entry = SharingRules().Find(name);
  const int64_t errors = check.findings()->errors();
  ResolveParameters(check, {Choice(SharingRules(), {entry})}, network);
  if (check.findings()->errors() == errors) CheckTogether(check, *entry, *network);
  SetPolicyName("sharing", "sharing_policy", name, network);
}

void FillNetwork(const Checker& check, v1::Network* network) {
  ResolveLink(check, "intra_node", kDefaultIntraNode, network->mutable_intra_node());
  ResolveLink(check, "inter_node", kDefaultInterNode, network->mutable_inter_node());
  ResolveSharing(check, network);
  ResolveKvTransfer(Checker(check.findings(), check.Path("kv_transfer")),
                    network->mutable_kv_transfer());
}

// Whether the group's is the network's.
bool SameLink(const LinkConfig& a, const LinkConfig& b) {
  return a.name == b.name && a.bandwidth_bytes_per_second == b.bandwidth_bytes_per_second &&
         a.latency_seconds == b.latency_seconds;
}

// Of each worker; empty when no group has its own.
std::vector<LinkConfig> CompileConnections(const v1::Spec& spec, const LinkConfig& intra_node) {
  std::vector<LinkConfig> connections;
  bool own = false;
  for (const v1::WorkerGroup& group : spec.workers()) {
    const LinkConfig link = ToLink(group.connection());
    own = own || (group.has_connection() && !SameLink(link, intra_node));
    connections.insert(connections.end(), static_cast<size_t>(WorkersOf(group)), link);
  }
  if (!own) connections.clear();
  return connections;
}

// Those that are given, and where they apply the network's for the others.
void ResolveConnections(bool apply, v1::Spec* spec, Findings* findings) {
  for (int i = 0; i < spec->workers_size(); ++i) {
    v1::WorkerGroup* group = spec->mutable_workers(i);
    const Checker check(findings, absl::StrCat("workers[", i, "]"));
    // An empty one says nothing.
    if (group->connection().ByteSizeLong() == 0) group->clear_connection();
    if (group->has_connection()) {
      ResolveLink(check, "connection", kDefaultIntraNode, group->mutable_connection());
      if (!apply) RemoveUnused(check, "connection", kNoTransfers, group);
    } else if (apply) {
      *group->mutable_connection() = spec->network().intra_node();
    }
  }
}

}  // namespace

void ResolveNetwork(v1::Spec* spec, Findings* findings) {
  // When roles are not known, nothing is said to be unused.
  const bool applies = MovesKvCaches(*spec) || !RolesKnown(*spec, *findings);
  const bool given = spec->network().ByteSizeLong() > 0;
  if (applies || given) FillNetwork(Checker(findings, "network"), spec->mutable_network());
  ResolveConnections(applies, spec, findings);
  if (!applies && given) RemoveUnused(Checker(findings, ""), "network", kNoTransfers, spec);
  if (!applies) spec->clear_network();
}

NetworkConfig CompileNetwork(const v1::Spec& spec) {
  v1::Network network = spec.network();
  Findings ignored;  // a resolved network, and the defaults where none applies, have none
  const Checker check(&ignored, "network");
  FillNetwork(check, &network);
  const v1::KvTransfer& transfer = network.kv_transfer();
  NetworkConfig config;
  config.intra_node = ToLink(network.intra_node());
  config.inter_node = ToLink(network.inter_node());
  config.connections = CompileConnections(spec, config.intra_node);
  config.sharing = ConfigurePolicy(SharingRules(), SharingName(check, network), network);
  if (transfer.mode() == v1::TRANSFER_MODE_BUFFERED) config.mode = TransferMode::kBuffered;
  if (transfer.mode() == v1::TRANSFER_MODE_LAYERWISE) config.mode = TransferMode::kLayerwise;
  if (transfer.has_groups()) config.groups = transfer.groups();
  if (transfer.has_buffered_groups()) config.buffered_groups = transfer.buffered_groups();
  return config;
}

}  // namespace tokensim
