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

constexpr int64_t kMaxMemoryBytes = 1'000'000'000'000'000;
constexpr double kMaxPrice = 1e12;
// They describe the device, whatever of it is used.
constexpr FieldRule kFigures[] = {
    Positive("peak_flops", kMaxLinkRate),
    Positive("peak_8bit_flops", kMaxLinkRate),  // as peak_flops unless given
    Positive("peak_fp8_flops", kMaxLinkRate),   // of the rest: engine/hardware/peak.h
    Positive("peak_int8_flops", kMaxLinkRate),
    Positive("peak_fp4_flops", kMaxLinkRate),
    Integer("memory_bytes", 1, kMaxMemoryBytes),
    Integer("driver_memory_bytes", 1, kMaxMemoryBytes),
    Positive("memory_bandwidth_bytes_per_second", kMaxLinkRate),
    Positive("compute_efficiency", 1).Default(1),
    Positive("memory_efficiency", 1).Default(1),
    NotNegative("kernel_launch_seconds", kMaxDelaySeconds).Default(0),
    NotNegative("iteration_overhead_seconds", kMaxDelaySeconds).Default(0),
    NotNegative("sequence_overhead_seconds", kMaxDelaySeconds).Default(0),
    Integer("scale_up_devices", 1, 1'000'000),
    Positive("scale_out_bandwidth_bytes_per_second", kMaxLinkRate),
    Positive("watts", 1e9),
    Positive("price", kMaxPrice),
    Enumeration("seller", "a seller")};
constexpr FieldRule kPrices[] = {Positive("hyperscaler", kMaxPrice),
                                 Positive("neocloud", kMaxPrice), Positive("rental", kMaxPrice)};
// Between the devices of a worker. Required where there are several.
constexpr FieldRule kInterconnect[] = {Positive("bandwidth_bytes_per_second", kMaxLinkRate),
                                       NotNegative("latency_seconds", kMaxDelaySeconds).Default(0)};
constexpr char kDefaultHostLink[] = "pcie4";

// `kernels`: with the surfaces of the preset, unless there are others. They are large.
void ExpandPreset(const Checker& check, bool kernels, v1::Hardware* hardware) {
  if (hardware->preset().empty()) return;
  const v1::Hardware* preset = FindHardwarePreset(hardware->preset());
  if (preset == nullptr) {
    check.NotFound("preset", "hardware preset", hardware->preset(), HardwarePresetNames());
    return;
  }
  v1::Hardware expanded = *preset;
  expanded.MergeFrom(*hardware);
  const v1::Hardware* surfaces = kernels ? FindKernelPreset(hardware->preset()) : nullptr;
  if (surfaces != nullptr && hardware->kernels_size() == 0) expanded.MergeFrom(*surfaces);
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

// Of the seller; 0: not given.
double PriceOf(const v1::HourlyPrices& prices, v1::Seller seller) {
  switch (seller) {
    case v1::SELLER_HYPERSCALER:
      return prices.hyperscaler();
    case v1::SELLER_RENTAL:
      return prices.rental();
    default:
      return prices.neocloud();
  }
}

// One price is left of what the sellers ask.
void ResolvePrice(const Checker& check, v1::Hardware* h) {
  const Checker at(check.findings(), check.Path("prices"));
  at.Length("source", h->prices().source(), 4000);
  ResolveFields(at, kPrices, h->mutable_prices());
  if (h->has_price()) {
    RemoveUnused(check, "seller", "there is a price", h);
  } else if (const double price = PriceOf(h->prices(), h->seller()); price > 0) {
    h->set_price(price);
  } else if (h->has_seller() && !check.Broken("seller")) {
    check.Error("seller", "has no price of this hardware; give `price` or another seller");
  }
  h->clear_prices();
  h->clear_seller();
}

}  // namespace

void ResolveHardware(const std::string& path, HardwareNeeds needs, v1::Hardware* hardware,
                     Findings* findings) {
  const Checker check(findings, path);
  const int64_t errors = findings->errors();
  // What a preset has and this worker does not need is nothing that a user asked for.
  const bool own_tiles = hardware->has_tiled();
  const bool own_kernels = hardware->kernels_size() > 0;
  ExpandPreset(check, needs.kernels, hardware);
  // What the preset would have is not known.
  if (findings->errors() > errors) {
    needs = {.tiled = needs.tiled && own_tiles, .kernels = needs.kernels && own_kernels};
  }
  ResolveFigures(check, hardware);
  ResolvePrice(check, hardware);
  constexpr char kHint[] = "give it or a preset (`tokensim catalog hardware`)";
  if (needs.compute) {
    check.Required("peak_flops", hardware->has_peak_flops(), kHint);
    check.Required("memory_bandwidth_bytes_per_second",
                   hardware->has_memory_bandwidth_bytes_per_second(), kHint);
  }
  if (!needs.tiled && !own_tiles) hardware->clear_tiled();
  ResolveTiled(check, needs.tiled, hardware);
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
  device.peak_fp8_flops = hardware.peak_fp8_flops();
  device.peak_int8_flops = hardware.peak_int8_flops();
  device.peak_fp4_flops = hardware.peak_fp4_flops();
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
