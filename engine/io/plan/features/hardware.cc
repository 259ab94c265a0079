#include "engine/io/plan/resolve.h"
#include "engine/io/presets/catalog.h"

namespace tokensim {
namespace {

void ExpandPreset(const Checker& check, v1::Hardware* hardware) {
  if (hardware->preset().empty()) return;
  const v1::Hardware* preset = FindHardwarePreset(hardware->preset());
  if (preset == nullptr) {
    check.NotFound("preset", "hardware preset", hardware->preset(), HardwarePresetNames());
    return;
  }
  v1::Hardware expanded = *preset;
  if (hardware->kernels_size() > 0) expanded.clear_kernels();
  expanded.MergeFrom(*hardware);
  if (expanded.name().empty()) expanded.set_name(hardware->preset());
  expanded.clear_preset();
  *hardware = std::move(expanded);
}

void CheckFigures(const Checker& check, const v1::Hardware& h) {
  constexpr double kMaxRate = 1e21;
  constexpr double kMaxOverhead = 1000;  // seconds
  check.Length("name", h.name(), 200);
  check.Length("source", h.source(), 4000);
  if (h.has_peak_flops()) check.Positive("peak_flops", h.peak_flops(), kMaxRate);
  if (h.has_peak_8bit_flops()) check.Positive("peak_8bit_flops", h.peak_8bit_flops(), kMaxRate);
  if (h.has_memory_bytes()) {
    check.Range("memory_bytes", h.memory_bytes(), 1, 1'000'000'000'000'000);
  }
  if (h.has_memory_bandwidth_bytes_per_second()) {
    check.Positive("memory_bandwidth_bytes_per_second", h.memory_bandwidth_bytes_per_second(),
                   kMaxRate);
  }
  if (h.has_compute_efficiency()) check.Positive("compute_efficiency", h.compute_efficiency(), 1);
  if (h.has_memory_efficiency()) check.Positive("memory_efficiency", h.memory_efficiency(), 1);
  if (h.has_kernel_launch_seconds()) {
    check.NotNegative("kernel_launch_seconds", h.kernel_launch_seconds(), kMaxOverhead);
  }
  if (h.has_iteration_overhead_seconds()) {
    check.NotNegative("iteration_overhead_seconds", h.iteration_overhead_seconds(), kMaxOverhead);
  }
  if (h.has_sequence_overhead_seconds()) {
    check.NotNegative("sequence_overhead_seconds", h.sequence_overhead_seconds(), kMaxOverhead);
  }
  const v1::Interconnect& link = h.interconnect();
  check.Length("interconnect.name", link.name(), 200);
  if (link.has_bandwidth_bytes_per_second()) {
    check.Positive("interconnect.bandwidth_bytes_per_second", link.bandwidth_bytes_per_second(),
                   kMaxRate);
  }
  if (link.has_latency_seconds()) {
    check.NotNegative("interconnect.latency_seconds", link.latency_seconds(), kMaxOverhead);
  }
  if (h.has_price()) check.Positive("price", h.price(), 1e12);
}

void FillDefaults(v1::Hardware* h) {
  if (!h->has_peak_8bit_flops() && h->has_peak_flops()) h->set_peak_8bit_flops(h->peak_flops());
  if (!h->has_compute_efficiency()) h->set_compute_efficiency(1);
  if (!h->has_memory_efficiency()) h->set_memory_efficiency(1);
  if (!h->has_kernel_launch_seconds()) h->set_kernel_launch_seconds(0);
  if (!h->has_iteration_overhead_seconds()) h->set_iteration_overhead_seconds(0);
  if (!h->has_sequence_overhead_seconds()) h->set_sequence_overhead_seconds(0);
  if (h->has_interconnect() && !h->interconnect().has_latency_seconds()) {
    h->mutable_interconnect()->set_latency_seconds(0);
  }
}

}  // namespace

void ResolveHardware(const std::string& path, HardwareNeeds needs, v1::Hardware* hardware,
                     Findings* findings) {
  const Checker check(findings, path);
  const int64_t errors = findings->errors();
  ExpandPreset(check, hardware);
  // What the preset would have is not known.
  if (findings->errors() > errors) needs = {.kernels = hardware->kernels_size() > 0};
  CheckFigures(check, *hardware);
  if (hardware->has_host_link()) {
    ResolveLink(check, "host_link", kDefaultHostLink, hardware->mutable_host_link());
  }
  FillDefaults(hardware);
  constexpr char kHint[] = "give it or a preset (`tokensim catalog hardware`)";
  if (needs.compute) {
    check.Required("peak_flops", hardware->has_peak_flops(), kHint);
    check.Required("memory_bandwidth_bytes_per_second",
                   hardware->has_memory_bandwidth_bytes_per_second(), kHint);
  }
  CheckTiled(check, needs.tiled, *hardware);
  ResolveKernels(check, needs.kernels, hardware);
  if (needs.memory) {
    check.Required("memory_bytes", hardware->has_memory_bytes(),
                   "it sets the size of the KV cache; give it, a preset, or memory.kv_blocks");
  }
  if (needs.interconnect) {
    check.Required("interconnect.bandwidth_bytes_per_second",
                   hardware->interconnect().has_bandwidth_bytes_per_second(),
                   "the worker's devices exchange activations over it");
  }
}

}  // namespace tokensim
