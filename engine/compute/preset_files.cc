#include "engine/compute/preset_files.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <stdexcept>

namespace tokensim {
namespace {

double Quantity(const YAML::Node& node) {
  static const std::map<std::string, double> kUnits = {
      {"", 1},       {"TFLOPS", 1e12}, {"GiB", 0x1p30}, {"MiB", 0x1p20}, {"KiB", 0x1p10},
      {"GB/s", 1e9}, {"TB/s", 1e12},   {"us", 1e-6},    {"ns", 1e-9},
  };
  const std::string text = node.as<std::string>();
  size_t end = 0;
  const double value = std::stod(text, &end);
  return value * kUnits.at(text.substr(end));
}

// Reads the fields of one mapping; Finish throws when some were not asked for.
class Fields {
 public:
  Fields(YAML::Node node, std::string file) : node_(std::move(node)), file_(std::move(file)) {}

  YAML::Node operator[](const std::string& key) {
    if (!node_[key]) throw std::runtime_error(file_ + ": no " + key);
    ++read_;
    return node_[key];
  }
  bool Has(const std::string& key) const { return static_cast<bool>(node_[key]); }
  void Finish() const {
    if (read_ != node_.size()) throw std::runtime_error(file_ + ": a field that is not known");
  }

 private:
  YAML::Node node_;
  std::string file_;
  size_t read_ = 0;
};

std::vector<std::filesystem::path> Files(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  const std::filesystem::path root = std::filesystem::path(TOKENSIM_SOURCE_DIR) / "configs";
  for (const auto& entry : std::filesystem::directory_iterator(root / folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

ModelPreset ReadModel(const std::filesystem::path& path) {
  Fields f(YAML::LoadFile(path), path);
  ModelPreset preset{.file = path.stem()};
  TransformerConfig& c = preset.config;
  c.name = f["name"].as<std::string>();
  if (f["source"].as<std::string>().empty()) throw std::runtime_error("no source");
  c.num_layers = f["num_layers"].as<int32_t>();
  c.hidden_size = f["hidden_size"].as<int32_t>();
  c.num_attention_heads = f["num_attention_heads"].as<int32_t>();
  c.num_kv_heads = f["num_kv_heads"].as<int32_t>();
  c.head_dim = f["head_dim"].as<int32_t>();
  c.intermediate_size = f["intermediate_size"].as<int32_t>();
  c.gated_mlp = f["gated_mlp"].as<bool>();
  c.vocab_size = f["vocab_size"].as<int32_t>();
  c.tie_word_embeddings = f["tie_word_embeddings"].as<bool>();
  preset.max_position_embeddings = f["max_position_embeddings"].as<int32_t>();
  const std::string dtype = f["weight_dtype"].as<std::string>();
  if (dtype != "bf16" && dtype != "fp16") throw std::runtime_error("dtype " + dtype);
  if (f.Has("moe")) {
    Fields moe(f["moe"], path);
    c.num_experts = moe["num_experts"].as<int32_t>();
    c.experts_per_token = moe["experts_per_token"].as<int32_t>();
    moe.Finish();
  }
  f.Finish();
  return preset;
}

EfficiencySurface ReadSurface(const YAML::Node& node, const std::string& file) {
  Fields f(node, file);
  EfficiencySurface surface;
  surface.kernel = FindSurfaceKernel(f["kernel"].as<std::string>()).value();
  surface.weight_bytes = f["dtype"].as<std::string>() == "fp8" ? 1 : 2;
  surface.source = f["source"].as<std::string>();
  surface.error = f["error"].as<double>();
  for (const YAML::Node& axis : f["axes"]) {
    surface.axes.push_back(
        {axis["name"].as<std::string>(), axis["values"].as<std::vector<double>>()});
  }
  surface.efficiency = f["efficiency"].as<std::vector<double>>();
  f.Finish();
  return surface;
}

TiledDeviceConfig ReadTiled(const YAML::Node& node, const std::filesystem::path& path) {
  Fields f(node, path);
  TiledDeviceConfig c;
  c.cores = f["cores"].as<int32_t>();
  c.lanes = f["lanes"].as<int32_t>();
  c.systolic_rows = f["systolic_rows"].as<int32_t>();
  c.systolic_columns = f["systolic_columns"].as<int32_t>();
  c.vector_width = f["vector_width"].as<int32_t>();
  c.frequency_hertz = Quantity(f["frequency_hertz"]);
  c.local_buffer_bytes = static_cast<int64_t>(Quantity(f["local_buffer_bytes"]));
  c.register_file_bytes = static_cast<int64_t>(Quantity(f["register_file_bytes"]));
  c.global_buffer_bytes = static_cast<int64_t>(Quantity(f["global_buffer_bytes"]));
  c.global_buffer_bytes_per_second = Quantity(f["global_buffer_bytes_per_second"]);
  if (f.Has("near_memory")) c.near_memory = f["near_memory"].as<bool>();
  f.Finish();
  return c;
}

HardwarePreset ReadHardware(const std::filesystem::path& path) {
  Fields f(YAML::LoadFile(path), path);
  HardwarePreset preset{.file = path.stem()};
  DeviceConfig& c = preset.config;
  c.name = f["name"].as<std::string>();
  if (f["source"].as<std::string>().empty()) throw std::runtime_error("no source");
  c.peak_flops = Quantity(f["peak_flops"]);
  c.peak_8bit_flops = f.Has("peak_8bit_flops") ? Quantity(f["peak_8bit_flops"]) : c.peak_flops;
  c.memory_bytes = static_cast<int64_t>(Quantity(f["memory_bytes"]));
  c.memory_bandwidth_bytes_per_second = Quantity(f["memory_bandwidth_bytes_per_second"]);
  c.compute_efficiency = Quantity(f["compute_efficiency"]);
  c.memory_efficiency = Quantity(f["memory_efficiency"]);
  c.kernel_launch_seconds = Quantity(f["kernel_launch_seconds"]);
  Fields link(f["interconnect"], path);
  c.interconnect.name = link["name"].as<std::string>();
  c.interconnect.bandwidth_bytes_per_second = Quantity(link["bandwidth_bytes_per_second"]);
  c.interconnect.latency_seconds = Quantity(link["latency_seconds"]);
  link.Finish();
  if (f.Has("tiled")) preset.tiled = ReadTiled(f["tiled"], path);
  if (f.Has("kernels")) {
    for (const YAML::Node& node : f["kernels"]) preset.kernels.push_back(ReadSurface(node, path));
  }
  f.Finish();
  return preset;
}

std::filesystem::path ModelPath(const std::string& name) {
  return std::filesystem::path(TOKENSIM_SOURCE_DIR) / "configs/models" / (name + ".yaml");
}

std::filesystem::path HardwarePath(const std::string& name) {
  return std::filesystem::path(TOKENSIM_SOURCE_DIR) / "configs/hardware" / (name + ".yaml");
}

}  // namespace

std::vector<ModelPreset> ReadModelPresets() {
  std::vector<ModelPreset> presets;
  for (const char* name :
       {"codellama-34b", "llama2-13b", "llama2-70b", "llama2-7b", "llama3.1-70b", "llama3.1-8b",
        "mixtral-8x7b", "opt-13b", "qwen3-30b-a3b", "qwen3-32b"}) {
    presets.push_back(ReadModel(ModelPath(name)));
  }
  return presets;
}

std::vector<HardwarePreset> ReadHardwarePresets() {
  std::vector<HardwarePreset> presets;
  for (const auto& path : Files("hardware")) presets.push_back(ReadHardware(path));
  return presets;
}

TransformerConfig ReadModelPreset(const std::string& name) {
  return ReadModel(ModelPath(name)).config;
}

DeviceConfig ReadHardwarePreset(const std::string& name) {
  return ReadHardware(HardwarePath(name)).config;
}

TiledDeviceConfig ReadTiledPreset(const std::string& name) {
  return ReadHardware(HardwarePath(name)).tiled;
}

std::vector<EfficiencySurface> ReadKernelSurfaces(const std::string& hardware) {
  return ReadHardware(HardwarePath(hardware)).kernels;
}

}  // namespace tokensim
