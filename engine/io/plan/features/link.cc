#include "engine/io/plan/features/link.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/limits.h"
#include "engine/io/plan/fields.h"
#include "engine/io/presets/catalog.h"

namespace tokensim {
namespace {

constexpr FieldRule kFields[] = {
    NotNegative("bandwidth_bytes_per_second", kMaxLinkRate),  // 0: not limited
    NotNegative("latency_seconds", kMaxDelaySeconds).Default(0)};
constexpr double kMinRate = 1e3;  // slower, simulated time could overflow

}  // namespace

void ResolveLink(const Checker& check, std::string_view field, std::string_view default_preset,
                 v1::Interconnect* link) {
  const Checker at(check.findings(), check.Path(field));
  at.Length("name", link->name(), 200);
  if (!link->has_bandwidth_bytes_per_second()) {
    const std::string preset = link->name().empty() ? std::string(default_preset) : link->name();
    const v1::Interconnect* found = FindLinkPreset(preset);
    if (found == nullptr) {
      at.NotFound("name", "link preset", preset, LinkPresetNames());
    } else {
      v1::Interconnect expanded = *found;
      if (link->has_latency_seconds()) expanded.set_latency_seconds(link->latency_seconds());
      *link = std::move(expanded);
    }
  }
  ResolveFields(at, kFields, link);
  const double rate = link->bandwidth_bytes_per_second();
  if (rate > 0 && rate < kMinRate) {
    at.Error("bandwidth_bytes_per_second",
             absl::StrCat("is ", rate, "; it must be 0 (not limited) or at least 1kB/s"));
  }
}

LinkConfig ToLink(const v1::Interconnect& link) {
  return {link.name(), link.bandwidth_bytes_per_second(), link.latency_seconds()};
}

}  // namespace tokensim
