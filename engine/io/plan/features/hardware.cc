#include "engine/io/plan/resolve.h"
#include "engine/io/presets/catalog.h"

namespace tokensim {
namespace {

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

void CheckFigures(const Checker& check, const v1::Hardware& h) {
  constexpr double kMaxRate = 1e21;
  constexpr double kMaxOverhead = 1000;  // seconds
  constexpr int64_t kMaxMemoryBytes = 1'000'000'000'000'000;
  check.Length("name", h.name(), 200);
  check.Length("source", h.source(), 4000);
  if (h.has_peak_flops()) check.Positive("peak_flops", h.peak_flops(), kMaxRate);
  if (h.has_peak_8bit_flops()) check.Positive("peak_8bit_flops", h.peak_8bit_flops(), kMaxRate);
  if (h.has_peak_fp8_flops()) check.Positive("peak_fp8_flops", h.peak_fp8_flops(), kMaxRate);
  if (h.has_peak_int8_flops()) check.Positive("peak_int8_flops", h.peak_int8_flops(), kMaxRate);
  if (h.has_peak_fp4_flops()) check.Positive("peak_fp4_flops", h.peak_fp4_flops(), kMaxRate);
  if (h.has_memory_bytes()) check.Range("memory_bytes", h.memory_bytes(), 1, kMaxMemoryBytes);
  if (h.has_driver_memory_bytes()) {
    check.Range("driver_memory_bytes", h.driver_memory_bytes(), 1, kMaxMemoryBytes);
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
}

void CheckDeployment(const Checker& check, const v1::Hardware& h) {
  constexpr double kMaxRate = 1e21;
  constexpr double kMaxPrice = 1e12;
  if (h.has_scale_up_devices()) check.Range("scale_up_devices", h.scale_up_devices(), 1, 1'000'000);
  if (h.has_scale_out_bandwidth_bytes_per_second()) {
    check.Positive("scale_out_bandwidth_bytes_per_second",
                   h.scale_out_bandwidth_bytes_per_second(), kMaxRate);
  }
  if (h.has_watts()) check.Positive("watts", h.watts(), 1e9);
  if (h.has_price()) check.Positive("price", h.price(), kMaxPrice);
  const v1::HourlyPrices& prices = h.prices();
  if (prices.has_hyperscaler()) {
    check.Positive("prices.hyperscaler", prices.hyperscaler(), kMaxPrice);
  }
  if (prices.has_neocloud()) check.Positive("prices.neocloud", prices.neocloud(), kMaxPrice);
  if (prices.has_rental()) check.Positive("prices.rental", prices.rental(), kMaxPrice);
  check.Length("prices.source", prices.source(), 4000);
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
  if (h->has_seller() && (!v1::Seller_IsValid(h->seller()) || h->seller() == 0)) {
    check.Error("seller", "is nobody who sells; allowed are hyperscaler, neocloud, rental");
  } else if (!h->has_price()) {
    const double price = PriceOf(h->prices(), h->seller());
    if (price > 0) {
      h->set_price(price);
    } else if (h->has_seller()) {
      check.Error("seller", "has no price of this hardware; give `price` or another seller");
    }
  }
  h->clear_prices();
  h->clear_seller();
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
  ExpandPreset(check, needs.kernels, hardware);
  // What the preset would have is not known.
  if (findings->errors() > errors) needs = {.kernels = hardware->kernels_size() > 0};
  CheckFigures(check, *hardware);
  CheckDeployment(check, *hardware);
  ResolvePrice(check, hardware);
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
