#include "engine/io/plan/capacity.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
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

void ReportTooLarge(const std::string& path, const v1::WorkerGroup& group, double usable,
                    double needed, double states, Findings* findings) {
  const int32_t tensor = group.parallelism().tensor();
  const std::string with_states =
      states == 0 ? ""
                  : absl::StrCat(", ", Gibibytes(states), " of it for the states of max_num_seqs ",
                                 group.local_scheduler().max_num_seqs(), " sequences");
  findings->Error(
      JoinPath(path, "hardware.memory_bytes"),
      absl::StrCat("the model does not fit: a device needs ", Gibibytes(needed),
                   " for weights, reserve and one KV block", with_states, "; available are ",
                   Gibibytes(usable), " (",
                   Gibibytes(static_cast<double>(group.hardware().memory_bytes())),
                   " x gpu_memory_utilization ", group.memory().gpu_memory_utilization(),
                   "). Raise parallelism.tensor (now ", tensor,
                   "), use a larger device or a smaller weight_dtype"),
      kModelDoesNotFit);
}

WorkerCapacity GroupCapacity(const std::string& path, const v1::Model& model,
                             const v1::WorkerGroup& group, Findings* findings) {
  WorkerCapacity capacity;
  const v1::Memory& memory = group.memory();
  const ParallelismConfig split = ToParallelism(group.parallelism());
  const int64_t null_blocks = TraitsOf(group.local_scheduler()).null_blocks;
  // With explicit blocks and an affine cost nothing about the model need be known.
  const bool model_known = ModelIsKnown(model);
  double computed = 0;
  if (model_known) {
    const Model layers = ToModel(model, memory.kv_cache_dtype());
    const KvLayout layout = KvLayoutOf(layers, split);
    const double states =
        static_cast<double>(layout.state_bytes()) * group.local_scheduler().max_num_seqs();
    capacity.weight_bytes_per_device = WeightBytesPerDevice(layers, split);
    // Of a model that keeps nothing of a token, blocks cost nothing worth counting.
    const int64_t token_bytes = std::max<int64_t>(1, layout.bytes_per_token());
    capacity.kv_bytes_per_token = token_bytes * split.tensor * split.pipeline;
    const double block_bytes =
        static_cast<double>(token_bytes) * static_cast<double>(memory.block_size());
    const double free = FreeBytes(group, capacity.weight_bytes_per_device) - states;
    computed = std::floor(std::max(0.0, free) / block_bytes);
    if (!memory.has_kv_blocks() && computed < static_cast<double>(1 + null_blocks)) {
      const double usable =
          static_cast<double>(group.hardware().memory_bytes()) * memory.gpu_memory_utilization();
      const double needed = usable - free + block_bytes * static_cast<double>(1 + null_blocks);
      ReportTooLarge(path, group, usable, needed, states, findings);
      return capacity;
    }
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
    const int64_t tokens = capacity.kv_tokens(group);
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
