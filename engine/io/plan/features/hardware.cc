#include "engine/io/plan/features/hardware.h"

#include <utility>

#include "engine/io/plan/features/kernels.h"
#include "engine/io/plan/features/limits.h"
#include "engine/io/plan/features/link.h"
#include "engine/io/plan/features/tiled.h"
#include "engine/io/plan/fields.h"
#include "engine/io/presets/catalog.h"

namespace tokensim {
namespace {

// They describe the device, whatever of it is used.
constexpr FieldRule kFigures[] = {
    Positive("peak_flops", kMaxLinkRate),
    Positive("peak_8bit_flops", kMaxLinkRate),  // as peak_flops unless given
    Integer("memory_bytes", 1, 1'000'000'000'000'000),
    Positive("memory_bandwidth_bytes_per_second", kMaxLinkRate),
    Positive("compute_efficiency", 1).Default(1),
    Positive("memory_efficiency", 1).Default(1),
    NotNegative("kernel_launch_seconds", kMaxDelaySeconds).Default(0),
    NotNegative("iteration_overhead_seconds", kMaxDelaySeconds).Default(0),
    NotNegative("sequence_overhead_seconds", kMaxDelaySeconds).Default(0),
    Positive("price", 1e12).Default(1)};
// Between the devices of a worker. Required where there are several.
constexpr FieldRule kInterconnect[] = {Positive("bandwidth_bytes_per_second", kMaxLinkRate),
                                       NotNegative("latency_seconds", kMaxDelaySeconds).Default(0)};
constexpr char kDefaultHostLink[] = "pcie4";

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

void ResolveFigures(const Checker& check, v1::Hardware* h) {
  check.Length("name", h->name(), 200);
  check.Length("source", h->source(), 4000);
  ResolveFields(check, kFigures, h);
  if (!h->has_peak_8bit_flops() && h->has_peak_flops()) h->set_peak_8bit_flops(h->peak_flops());
  if (h->has_interconnect()) {
    const Checker at(check.findings(), check.Path("interconnect"));
    at.Length("name", h->interconnect().name(), 200);
    ResolveFields(at, kInterconnect, h->mutable_interconnect());
  }
  ResolveLink(check, "host_link", kDefaultHostLink, h->mutable_host_link());
}

}  // namespace

void ResolveHardware(const std::string& path, HardwareNeeds needs, v1::Hardware* hardware,
                     Findings* findings) {
  const Checker check(findings, path);
  const int64_t errors = findings->errors();
  // What a preset has and this worker does not need is nothing that a user asked for.
  const bool own_tiles = hardware->has_tiled();
  const bool own_kernels = hardware->kernels_size() > 0;
  ExpandPreset(check, hardware);
  // What the preset would have is not known.
  if (findings->errors() > errors) {
    needs = {.tiled = needs.tiled && own_tiles, .kernels = needs.kernels && own_kernels};
  }
  ResolveFigures(check, hardware);
  constexpr char kHint[] = "give it or a preset (`tokensim catalog hardware`)";
  if (needs.compute) {
    check.Required("peak_flops", hardware->has_peak_flops(), kHint);
    check.Required("memory_bandwidth_bytes_per_second",
                   hardware->has_memory_bandwidth_bytes_per_second(), kHint);
  }
  if (!needs.tiled && !own_tiles) hardware->clear_tiled();
  ResolveTiled(check, needs.tiled, hardware);
  if (!needs.kernels && !own_kernels) hardware->clear_kernels();
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

DeviceConfig ToDevice(const v1::Hardware& hardware) {
  DeviceConfig device;
  device.name = hardware.name();
  device.peak_flops = hardware.peak_flops();
  device.peak_8bit_flops = hardware.peak_8bit_flops();
  device.memory_bytes = hardware.memory_bytes();
  device.memory_bandwidth_bytes_per_second = hardware.memory_bandwidth_bytes_per_second();
  device.compute_efficiency = hardware.compute_efficiency();
  device.memory_efficiency = hardware.memory_efficiency();
  device.kernel_launch_seconds = hardware.kernel_launch_seconds();
  device.interconnect.name = hardware.interconnect().name();
  device.interconnect.bandwidth_bytes_per_second =
      hardware.interconnect().bandwidth_bytes_per_second();
  device.interconnect.latency_seconds = hardware.interconnect().latency_seconds();
  device.iteration_overhead_seconds = hardware.iteration_overhead_seconds();
  device.sequence_overhead_seconds = hardware.sequence_overhead_seconds();
  return device;
}

}  // namespace tokensim
