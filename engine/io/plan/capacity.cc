#include "engine/io/plan/capacity.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/block_groups.h"
#include "engine/io/plan/features/local_scheduler.h"
#include "engine/io/plan/features/model.h"
#include "engine/io/plan/features/model_plan.h"
#include "engine/io/plan/features/parallelism.h"

namespace tokensim {
namespace {

// Bytes for KV blocks on one device, weights and reserve taken off. May be negative.
double FreeBytes(const v1::WorkerGroup& group, int64_t weight_bytes) {
  const v1::Memory& memory = group.memory();
  return std::floor(static_cast<double>(group.hardware().memory_bytes()) *
                    memory.gpu_memory_utilization()) -
         static_cast<double>(weight_bytes) - static_cast<double>(memory.reserved_bytes());
}

// `least`: bytes that the KV cache needs on a device.
void ReportTooLarge(const std::string& path, const v1::WorkerGroup& group, double free,
                    double least, int64_t blocks, Findings* findings) {
  const double usable = static_cast<double>(group.hardware().memory_bytes()) *
                        group.memory().gpu_memory_utilization();
  const std::string what = blocks == 1
                               ? "one KV block"
                               : absl::StrCat(blocks, " KV blocks, one of each group of layers");
  findings->Error(
      JoinPath(path, "hardware.memory_bytes"),
      absl::StrCat("the model does not fit: a device needs ", Gibibytes(usable - free + least),
                   " for weights, reserve and ", what, "; available are ", Gibibytes(usable), " (",
                   Gibibytes(static_cast<double>(group.hardware().memory_bytes())),
                   " x gpu_memory_utilization ", group.memory().gpu_memory_utilization(),
                   "). Raise parallelism.tensor (now ", group.parallelism().tensor(),
                   "), use a larger device or a smaller weight_dtype"),
      kModelDoesNotFit);
}

// What a model makes of the memory of its devices: sizes, and all blocks there is room for. False,
// with errors, if they are none.
bool AddModel(const std::string& path, const v1::Model& model, const v1::WorkerGroup& group,
              int64_t null_blocks, WorkerCapacity* capacity, double* computed, Findings* findings) {
  const v1::Memory& memory = group.memory();
  const ParallelismConfig split = ToParallelism(group.parallelism());
  const Model layers = ToModel(model, memory.kv_cache_dtype());
  capacity->weight_bytes_per_device = WeightBytesPerDevice(layers, split);
  // Of a model that keeps nothing of a token, blocks cost nothing worth counting.
  const int64_t token_bytes = std::max<int64_t>(1, KvLayoutOf(layers, split).bytes_per_token());
  const double devices = static_cast<double>(split.tensor) * split.pipeline;
  capacity->kv_bytes_per_token = token_bytes * split.tensor * split.pipeline;
  int64_t least = 1;  // blocks of one token
  double block_bytes = static_cast<double>(token_bytes) * memory.block_size();  // of a device
  if (KeepsLess(layers)) {
    const int64_t errors = findings->errors();
    capacity->layout = LayoutOf(path, layers, group, findings);
    if (findings->errors() > errors) return false;
  }
  if (capacity->layout != nullptr) {
    least = capacity->layout->ToReach(0, 1);
    block_bytes = static_cast<double>(capacity->layout->block_bytes()) / devices;
  }
  const double free = FreeBytes(group, capacity->weight_bytes_per_device);
  *computed = std::floor(std::max(0.0, free) / block_bytes);
  if (memory.has_kv_blocks() || *computed >= static_cast<double>(least + null_blocks)) return true;
  ReportTooLarge(path, group, free, block_bytes * static_cast<double>(least + null_blocks), least,
                 findings);
  return false;
}

WorkerCapacity GroupCapacity(const std::string& path, const v1::Model& model,
                             const v1::WorkerGroup& group, Findings* findings) {
  WorkerCapacity capacity;
  const v1::Memory& memory = group.memory();
  const int64_t null_blocks = TraitsOf(group.local_scheduler()).null_blocks;
  // With explicit blocks and an affine cost nothing about the model need be known.
  const bool model_known = ModelIsKnown(model);
  double computed = 0;
  if (model_known && !AddModel(path, model, group, null_blocks, &capacity, &computed, findings)) {
    return capacity;
  }
  if (memory.has_kv_blocks()) {
    capacity.kv_blocks = memory.kv_blocks() - null_blocks;
    if (model_known && group.hardware().has_memory_bytes() &&
        static_cast<double>(memory.kv_blocks()) > computed) {
      findings->Warning(
          JoinPath(path, "memory.kv_blocks"),
          absl::StrCat("is ", Grouped(memory.kv_blocks()), "; the device's memory has room for ",
                       Grouped(static_cast<int64_t>(computed))));
    }
  } else {
    capacity.kv_blocks = static_cast<int64_t>(computed) - null_blocks;
  }
  capacity.known = true;
  return capacity;
}

}  // namespace

int64_t WorkerCapacity::block_bytes(const v1::WorkerGroup& group) const {
  if (layout != nullptr) return layout->block_bytes();
  return kv_bytes_per_token * group.memory().block_size();
}

int64_t WorkerCapacity::longest(const v1::WorkerGroup& group) const {
  if (layout == nullptr) return kv_blocks * group.memory().block_size();
  return layout->MostTokens(kv_blocks, group.local_scheduler().max_model_len());
}

int64_t WorkerCapacity::kv_tokens(const v1::WorkerGroup& group) const {
  if (layout == nullptr) return kv_blocks * group.memory().block_size();
  const int64_t tokens = group.local_scheduler().max_model_len();
  const auto whole = static_cast<__int128>(kv_blocks) * tokens;
  return static_cast<int64_t>(whole / layout->ToReach(0, tokens));
}

bool GroupIsGood(const v1::Spec& spec, int index, const Findings& findings) {
  if (findings.BrokenBeside(absl::StrCat("workers[", index, "]"), "breakpoints")) return false;
  for (const char* shared : {"memory", "local_scheduler", "calibration"}) {
    if (findings.Broken(shared)) return false;
  }
  return spec.workers(index).has_model() || !findings.Broken("model");
}

std::vector<WorkerCapacity> ComputeCapacities(const v1::Spec& spec, Findings* findings) {
  std::vector<WorkerCapacity> capacities;
  for (int i = 0; i < spec.workers_size(); ++i) {
    const v1::WorkerGroup& group = spec.workers(i);
    const std::string path = absl::StrCat("workers[", i, "]");
    WorkerCapacity& capacity = capacities.emplace_back();
    if (!GroupIsGood(spec, i, *findings)) continue;
    capacity = GroupCapacity(path, ModelOf(spec, group), group, findings);
    const int64_t tokens = capacity.longest(group);
    const int32_t max_model_len = group.local_scheduler().max_model_len();
    if (capacity.known && tokens < max_model_len) {
      findings->Warning(JoinPath(path, "local_scheduler.max_model_len"),
                        absl::StrCat("is ", Grouped(max_model_len), ", but the KV cache holds ",
                                     Grouped(tokens), " tokens: longer requests are rejected"));
    }
  }
  return capacities;
}

}  // namespace tokensim
