#include "engine/io/presets/catalog.h"

#include <map>
#include <memory>
#include <mutex>

#include "engine/compute/backend_registry.h"
#include "engine/io/presets/embedded.h"
#include "engine/io/trace/trace_reader.h"
#include "engine/network/sharing_registry.h"
#include "engine/policy/evict/registry.h"
#include "engine/policy/global/registry.h"
#include "engine/policy/local/registry.h"
#include "engine/policy/order/registry.h"
#include "engine/policy/victim/registry.h"
#include "engine/workload/arrival_registry.h"
#include "engine/workload/length_registry.h"

namespace tokensim {
namespace {

// The presets of one folder; each is parsed when it is first asked for.
template <typename Message>
class PresetFolder {
 public:
  explicit PresetFolder(std::string_view folder) {
    for (const EmbeddedPreset& preset : EmbeddedPresets()) {
      if (preset.folder == folder) entries_[preset.name].bytes = preset.message;
    }
  }

  const Message* Find(std::string_view name) {
    const auto it = entries_.find(name);
    if (it == entries_.end()) return nullptr;
    Entry& entry = it->second;
    std::call_once(entry.once, [&entry] {
      entry.good =
          entry.message.ParseFromArray(entry.bytes.data(), static_cast<int>(entry.bytes.size()));
    });
    return entry.good ? &entry.message : nullptr;
  }

  [[nodiscard]] std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : entries_) names.emplace_back(entry.first);
    return names;
  }

 private:
  struct Entry {
    std::string_view bytes;
    std::once_flag once;
    bool good = false;
    Message message;
  };
  std::map<std::string_view, Entry> entries_;
};

PresetFolder<v1::Model>& Models() {
  static PresetFolder<v1::Model> folder("models");
  return folder;
}
PresetFolder<v1::Hardware>& HardwareFolder() {
  static PresetFolder<v1::Hardware> folder("hardware");
  return folder;
}
PresetFolder<v1::Hardware>& Kernels() {
  static PresetFolder<v1::Hardware> folder("kernels");
  return folder;
}
PresetFolder<v1::Interconnect>& Links() {
  static PresetFolder<v1::Interconnect> folder("links");
  return folder;
}
PresetFolder<v1::Lengths>& LengthsFolder() {
  static PresetFolder<v1::Lengths> folder("workloads");
  return folder;
}

PresetFolder<v1::Calibration>& Calibrations() {
  static PresetFolder<v1::Calibration> folder("calibrations");
  return folder;
}

PresetFolder<v1::Engine>& Engines() {
  static PresetFolder<v1::Engine> folder("engines");
  return folder;
}

template <typename Infos, typename Entries>
void AddPolicies(const Infos& infos, Entries* entries) {
  for (const auto& info : infos) {
    v1::PolicyEntry* entry = entries->Add();
    entry->set_name(std::string(info.name));
    entry->set_description(std::string(info.description));
  }
}

template <typename Factory, typename Entries>
void AddRegistry(const PolicyRegistry<Factory>& registry, Entries* entries) {
  for (const PolicyInfo* info : registry.infos()) {
    v1::PolicyEntry* entry = entries->Add();
    entry->set_name(std::string(info->name));
    entry->set_description(std::string(info->description));
    for (const Parameter& parameter : info->parameters) {
      v1::PolicyParameter* p = entry->add_parameters();
      p->set_name(std::string(parameter.name));
      p->set_description(std::string(parameter.description));
      p->set_default_value(DefaultText(parameter));
      p->set_allowed(RangeText(parameter));
      p->set_unit(std::string(parameter.unit));
    }
  }
}

struct NamedInfo {
  std::string_view name;
  std::string_view description;
};
// Where a breakpoint may be besides the operators of a compute model.
constexpr NamedInfo kBreakpoints[] = {
    {"dispatch", "the request reaches the worker: get_kv"},
    {"prefill", "its prompt is complete: put_kv, submit"},
    {"iteration", "an iteration ends: log"},
    {"OPERATOR", "an operator of the model, in each layer or in `layers`: log, put_kv"},
};

template <typename Message, typename Entries>
void AddPresets(PresetFolder<Message>& folder, Entries* entries) {
  for (const std::string& name : folder.Names()) {
    const Message* preset = folder.Find(name);
    if (preset == nullptr) continue;
    Message* entry = entries->Add();
    *entry = *preset;
    entry->set_preset(name);
  }
}

}  // namespace

const v1::Model* FindModelPreset(std::string_view name) { return Models().Find(name); }
const v1::Hardware* FindHardwarePreset(std::string_view name) {
  return HardwareFolder().Find(name);
}
const v1::Hardware* FindKernelPreset(std::string_view name) { return Kernels().Find(name); }
const v1::Interconnect* FindLinkPreset(std::string_view name) { return Links().Find(name); }
const v1::Lengths* FindLengthsPreset(std::string_view name) { return LengthsFolder().Find(name); }

const v1::Calibration* FindCalibrationPreset(std::string_view name) {
  return Calibrations().Find(name);
}

const v1::Engine* FindEnginePreset(std::string_view name) { return Engines().Find(name); }

std::vector<std::string> ModelPresetNames() { return Models().Names(); }
std::vector<std::string> HardwarePresetNames() { return HardwareFolder().Names(); }
std::vector<std::string> KernelPresetNames() { return Kernels().Names(); }
std::vector<std::string> LinkPresetNames() { return Links().Names(); }
std::vector<std::string> LengthsPresetNames() { return LengthsFolder().Names(); }
std::vector<std::string> CalibrationPresetNames() { return Calibrations().Names(); }
std::vector<std::string> EnginePresetNames() { return Engines().Names(); }

v1::Catalog BuildCatalog() {
  v1::Catalog catalog;
  AddPresets(Models(), catalog.mutable_models());
  AddPresets(HardwareFolder(), catalog.mutable_hardware());
  AddPresets(Engines(), catalog.mutable_engines());
  AddPresets(LengthsFolder(), catalog.mutable_lengths());
  for (v1::Lengths& lengths : *catalog.mutable_lengths()) lengths.clear_source();
  AddRegistry(LocalSchedulers(), catalog.mutable_local_schedulers());
  AddRegistry(GlobalSchedulers(), catalog.mutable_global_schedulers());
  AddRegistry(Backends(), catalog.mutable_compute_backends());
  AddPolicies(TraceFormats(), catalog.mutable_trace_formats());
  AddRegistry(QueueOrders(), catalog.mutable_queue_orders());
  AddRegistry(Victims(), catalog.mutable_preemption_victims());
  AddRegistry(Evictions(), catalog.mutable_evictions());
  AddRegistry(SharingRules(), catalog.mutable_sharing_rules());
  AddRegistry(ArrivalProcesses(), catalog.mutable_arrivals());
  AddRegistry(LengthDistributions(), catalog.mutable_length_distributions());
  AddRegistry(LengthSources(), catalog.mutable_length_sources());
  AddPolicies(kBreakpoints, catalog.mutable_breakpoints());
  for (const std::string& name : LinkPresetNames()) {
    v1::PolicyEntry* entry = catalog.add_links();
    entry->set_name(name);
    if (const v1::Interconnect* link = FindLinkPreset(name)) entry->set_description(link->name());
  }
  for (const std::string& name : CalibrationPresetNames()) {
    v1::PolicyEntry* entry = catalog.add_calibrations();
    entry->set_name(name);
    if (const v1::Calibration* preset = FindCalibrationPreset(name)) {
      entry->set_description(preset->source());
    }
  }
  return catalog;
}

}  // namespace tokensim
