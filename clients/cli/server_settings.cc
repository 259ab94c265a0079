#include "clients/cli/server_settings.h"

#include <optional>
#include <string>

#include "clients/cli/talk.h"
#include "clients/cli/units.h"

namespace tokensim::cli {

void WarnOfOtherSettings(const accuracy::Truth& truth, const v1::Spec& resolved) {
  const auto* run = std::get_if<accuracy::MeasuredStages>(&truth);
  if (run == nullptr || resolved.workers().empty()) return;
  const v1::WorkerGroup& group = resolved.workers(0);
  const auto check = [&](const char* field, std::optional<int64_t> measured, int64_t own) {
    if (!measured || *measured == own) return;
    PrintError("warning: " + run->name + " was measured with " + field + " " +
               FormatCount(*measured) + ", the spec has " + FormatCount(own));
  };
  check("max_num_seqs", run->max_num_seqs, group.local_scheduler().max_num_seqs());
  check("max_num_batched_tokens", run->max_num_batched_tokens,
        group.local_scheduler().max_num_batched_tokens());
  check("max_model_len", run->max_model_len, group.local_scheduler().max_model_len());
  check("block_size", run->kv_block_size, group.memory().block_size());
  check("kv_blocks", run->total_kv_blocks, group.memory().kv_blocks());
  check("parallelism.tensor", run->tensor_parallel, group.parallelism().tensor());
}

}  // namespace tokensim::cli
