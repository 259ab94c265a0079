#include "engine/io/plan/features/engine.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/limits.h"
#include "engine/io/plan/fields.h"
#include "engine/io/presets/catalog.h"
#include "engine/policy/defaults.h"

namespace tokensim {
namespace {

constexpr int kMaxLimits = 16;
constexpr int kMaxCaptureSizes = 1'000;
constexpr int32_t kGraphsPerSequence = 2;
constexpr FieldRule kFields[] = {Integer("graphs_per_sequence", 1, 1'000)};
constexpr FieldRule kLimits[] = {Integer("min_memory_bytes", 0, 1'000'000'000'000'000),
                                 Integer("max_num_batched_tokens", 1, kMaxLength),
                                 Integer("max_num_seqs", 1, 1'000'000)};

// What `own` says over `base`. Lists are replaced, not joined.
template <typename Message>
Message Over(Message base, const Message& own) {
  base.MergeFrom(own);
  return base;
}

v1::Engine Over(v1::Engine base, const v1::Engine& own) {
  if (own.batch_limits_size() > 0) base.clear_batch_limits();
  if (own.capture_sizes_size() > 0) base.clear_capture_sizes();
  base.MergeFrom(own);
  return base;
}

void CheckSize(const Checker& check, std::string_view list, int size, int most) {
  if (size <= most) return;
  check.Error(list,
              absl::StrCat("has ", size, " entries; at most ", Grouped(most), " are allowed"));
}

bool Fits(const v1::BatchLimits& limits, const v1::Hardware& hardware) {
  const bool excepted = !limits.except_hardware().empty() &&
                        hardware.name().find(limits.except_hardware()) != std::string::npos;
  return !excepted && hardware.memory_bytes() >= limits.min_memory_bytes();
}

// Sizes as the engine captures them for so many sequences and tokens.
void CaptureSizes(const v1::Engine& engine, const v1::LocalScheduler& scheduler,
                  v1::Calibration* calibration) {
  const int32_t per_sequence =
      engine.has_graphs_per_sequence() ? engine.graphs_per_sequence() : kGraphsPerSequence;
  for (const int32_t size : engine.capture_sizes()) {
    const bool captured =
        size <= int64_t{per_sequence} * scheduler.max_num_seqs() &&
        (scheduler.max_num_batched_tokens() == 0 || size <= scheduler.max_num_batched_tokens());
    if (captured) calibration->add_capture_sizes(size);
  }
}

}  // namespace

void ResolveEngine(const Checker& parent, v1::Engine* engine) {
  const Checker check(parent.findings(), parent.Path("engine"));
  check.Length("name", engine->name(), 200);
  check.Length("source", engine->source(), 4'000);
  ResolveFields(check, kFields, engine);
  CheckSize(check, "batch_limits", engine->batch_limits_size(), kMaxLimits);
  CheckSize(check, "capture_sizes", engine->capture_sizes_size(), kMaxCaptureSizes);
  for (int i = 0; i < engine->batch_limits_size(); ++i) {
    const Checker at(check.findings(), check.Path(absl::StrCat("batch_limits[", i, "]")));
    ResolveFields(at, kLimits, engine->mutable_batch_limits(i));
  }
  for (int i = 0; i < std::min(engine->capture_sizes_size(), kMaxCaptureSizes); ++i) {
    const int64_t least = i == 0 ? 1 : int64_t{engine->capture_sizes(i - 1)} + 1;
    if (!check.Range(absl::StrCat("capture_sizes[", i, "]"), engine->capture_sizes(i), least,
                     1'000'000)) {
      break;
    }
  }
  if (engine->preset().empty()) return;
  const v1::Engine* preset = FindEnginePreset(engine->preset());
  if (preset == nullptr) {
    check.NotFound("preset", "engine", engine->preset(), EnginePresetNames());
    return;
  }
  *engine = Over(*preset, *engine);
  engine->clear_preset();
}

void ApplyEngineMemory(const v1::Engine& engine, v1::Memory* memory) {
  *memory = Over(engine.memory(), *memory);
}

void ApplyEngineScheduler(const v1::Engine& engine, const v1::Model& model,
                          v1::WorkerGroup* group) {
  v1::LocalScheduler* s = group->mutable_local_scheduler();
  const std::string policy = engine.local_scheduler().policy().empty()
                                 ? kDefaultLocalScheduler
                                 : engine.local_scheduler().policy();
  // Of another policy the engine knows nothing.
  if (!s->policy().empty() && s->policy() != policy) return;
  const bool seqs_given = s->has_max_num_seqs();
  const bool tokens_given = s->has_max_num_batched_tokens();
  *s = Over(engine.local_scheduler(), *s);
  const auto limits =
      std::find_if(engine.batch_limits().begin(), engine.batch_limits().end(),
                   [&](const v1::BatchLimits& entry) { return Fits(entry, group->hardware()); });
  if (limits != engine.batch_limits().end()) {
    if (!tokens_given && limits->has_max_num_batched_tokens()) {
      const int32_t longest =
          s->has_max_model_len() ? s->max_model_len() : model.max_position_embeddings();
      s->set_max_num_batched_tokens(limits->fits_longest()
                                        ? std::max(limits->max_num_batched_tokens(), longest)
                                        : limits->max_num_batched_tokens());
    }
    if (!seqs_given && limits->has_max_num_seqs()) s->set_max_num_seqs(limits->max_num_seqs());
    // vLLM: a default of one gives way to the other that is given.
    if (tokens_given && !seqs_given && s->max_num_batched_tokens() > 0) {
      s->set_max_num_seqs(std::min(s->max_num_seqs(), s->max_num_batched_tokens()));
    }
    if (seqs_given && !tokens_given && s->max_num_batched_tokens() > 0) {
      s->set_max_num_batched_tokens(std::max(s->max_num_batched_tokens(), s->max_num_seqs()));
    }
  }
}

void ApplyEngineGraphs(const v1::Engine& engine, v1::WorkerGroup* group) {
  if (group->calibration().capture_sizes_size() > 0) return;
  CaptureSizes(engine, group->local_scheduler(), group->mutable_calibration());
}

void KeepEngineName(v1::Engine* engine) {
  v1::Engine kept;
  kept.set_name(engine->name());
  *engine = std::move(kept);
}

}  // namespace tokensim
