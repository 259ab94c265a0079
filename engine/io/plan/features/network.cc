// Links between workers, and how KV caches move over them.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/policy_fields.h"
#include "engine/io/plan/resolve.h"
#include "engine/io/presets/catalog.h"
#include "engine/network/sharing_registry.h"

namespace tokensim {
namespace {

constexpr char kDefaultIntraNode[] = "nvlink3";
constexpr char kDefaultInterNode[] = "eth-100g";
constexpr int32_t kMaxGroups = 10'000;

// Whether some worker may send a KV cache to another.
bool MovesKvCaches(const v1::Spec& spec) {
  if (spec.global_scheduler().migrate_on_pressure()) return true;
  return std::any_of(spec.workers().begin(), spec.workers().end(),
                     [](const v1::WorkerGroup& group) {
                       return group.role() == v1::ROLE_PREFILL || group.role() == v1::ROLE_DECODE ||
                              std::any_of(group.breakpoints().begin(), group.breakpoints().end(),
                                          [](const v1::Breakpoint& breakpoint) {
                                            return breakpoint.action() == "put_kv" ||
                                                   breakpoint.action() == "get_kv";
                                          });
                     });
}

void ResolveKvTransfer(const Checker& check, v1::KvTransfer* transfer) {
  if (!transfer->has_mode()) transfer->set_mode(v1::TRANSFER_MODE_SEQUENTIAL);
  if (!v1::TransferMode_IsValid(transfer->mode()) || transfer->mode() == 0) {
    check.Error("mode", "is not a transfer mode; allowed are sequential, buffered, layerwise");
    return;
  }
  if (transfer->mode() == v1::TRANSFER_MODE_LAYERWISE) {
    if (transfer->has_groups()) {
      check.Warning("groups", "is not used: with layerwise a group is a layer");
      transfer->clear_groups();
    }
  } else {
    if (!transfer->has_groups()) transfer->set_groups(1);
    if (!check.Range("groups", transfer->groups(), 1, kMaxGroups)) return;
  }
  if (transfer->mode() != v1::TRANSFER_MODE_BUFFERED) {
    if (transfer->has_buffered_groups()) {
      check.Warning("buffered_groups", "is not used: it needs mode: buffered");
      transfer->clear_buffered_groups();
    }
    return;
  }
  if (!transfer->has_buffered_groups()) {
    transfer->set_buffered_groups(std::min(2, transfer->groups()));
  }
  if (check.Range("buffered_groups", transfer->buffered_groups(), 1, transfer->groups()) &&
      transfer->groups() == 1) {
    check.Warning("groups", "is 1: buffered is then the same as sequential");
  }
}

std::string SharingName(const Checker& check, const v1::Network& network) {
  return PolicyName(check, "sharing", "sharing_policy", kDefaultSharing, network);
}

void ResolveSharing(const Checker& check, v1::Network* network) {
  const std::string name = SharingName(check, *network);
  if (!CheckPolicyName(check, "sharing_policy", name, SharingRules())) return;
  const SharingRuleEntry* entry = SharingRules().Find(name);
  const int64_t errors = check.findings()->errors();
  ResolveParameters(check, {Choice(SharingRules(), {entry})}, network);
  if (check.findings()->errors() == errors) CheckTogether(check, *entry, *network);
}

void FillNetwork(const Checker& check, v1::Network* network) {
  ResolveLink(check, "intra_node", kDefaultIntraNode, network->mutable_intra_node());
  ResolveLink(check, "inter_node", kDefaultInterNode, network->mutable_inter_node());
  if (!network->has_sharing() && network->sharing_policy().empty()) {
    network->set_sharing(v1::SHARING_FAIR);
  }
  if (network->has_sharing() &&
      (!v1::Sharing_IsValid(network->sharing()) || network->sharing() == 0)) {
    check.Error("sharing", "is not a sharing rule; allowed are fifo, fair");
  } else {
    ResolveSharing(check, network);
  }
  ResolveKvTransfer(Checker(check.findings(), check.Path("kv_transfer")),
                    network->mutable_kv_transfer());
}

// Of each worker; empty when no group has its own.
std::vector<LinkConfig> CompileConnections(const v1::Spec& spec, const LinkConfig& intra_node) {
  std::vector<LinkConfig> connections;
  bool own = false;
  for (const v1::WorkerGroup& group : spec.workers()) {
    own = own || group.has_connection();
    connections.insert(connections.end(), static_cast<size_t>(WorkersOf(group)),
                       group.has_connection() ? ToLink(group.connection()) : intra_node);
  }
  if (!own) connections.clear();
  return connections;
}

}  // namespace

void ResolveLink(const Checker& check, std::string_view field, std::string_view default_preset,
                 v1::Interconnect* link) {
  constexpr double kMaxRate = 1e21;
  constexpr double kMinRate = 1e3;  // slower, simulated time could overflow
  constexpr double kMaxLatency = 1000;
  const Checker at(check.findings(), check.Path(field));
  at.Length("name", link->name(), 200);
  if (!link->has_bandwidth_bytes_per_second()) {
    const std::string preset = link->name().empty() ? std::string(default_preset) : link->name();
    const v1::Interconnect* found = FindLinkPreset(preset);
    if (found == nullptr) {
      at.NotFound("name", "link preset", preset, LinkPresetNames());
      return;
    }
    v1::Interconnect expanded = *found;
    if (link->has_latency_seconds()) expanded.set_latency_seconds(link->latency_seconds());
    *link = std::move(expanded);
  }
  if (!link->has_latency_seconds()) link->set_latency_seconds(0);
  const double rate = link->bandwidth_bytes_per_second();
  if (at.NotNegative("bandwidth_bytes_per_second", rate, kMaxRate) && rate > 0 && rate < kMinRate) {
    at.Error("bandwidth_bytes_per_second",
             absl::StrCat("is ", rate, "; it must be 0 (not limited) or at least 1kB/s"));
  }
  at.NotNegative("latency_seconds", link->latency_seconds(), kMaxLatency);
}

void ResolveNetwork(v1::Spec* spec, Findings* findings) {
  const bool moves = MovesKvCaches(*spec);
  for (int i = 0; i < spec->workers_size(); ++i) {
    v1::WorkerGroup* group = spec->mutable_workers(i);
    if (!group->has_connection()) continue;
    const Checker check(findings, absl::StrCat("workers[", i, "]"));
    if (!moves) check.Warning("connection", "is not used: no worker hands its requests on");
    ResolveLink(check, "connection", kDefaultIntraNode, group->mutable_connection());
  }
  // Without transfers an empty section says nothing.
  if (!moves && spec->network().ByteSizeLong() == 0) spec->clear_network();
  if (!moves && !spec->has_network()) return;
  const Checker check(findings, "network");
  if (!moves && RolesKnown(*spec, *findings))
    check.Warning("", "is not used: no worker hands its requests on");
  FillNetwork(check, spec->mutable_network());
}

LinkConfig ToLink(const v1::Interconnect& link) {
  return {link.name(), link.bandwidth_bytes_per_second(), link.latency_seconds()};
}

NetworkConfig CompileNetwork(const v1::Spec& spec) {
  v1::Network network = spec.network();
  Findings ignored;  // a resolved network, and the defaults, have none
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
