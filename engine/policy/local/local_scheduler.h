// Forms the batch of each iteration of one worker.
//
// A local scheduler moves requests between the worker's waiting queue and its running set through
// WorkerState (engine/worker/worker_state.h) and fills the iteration's shape. One file per
// scheduler, named after what it reproduces; LocalSchedulers() lists them. docs/schedulers.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace tokensim {

class WorkerState;

enum class LocalPolicy : uint8_t { kChunked, kOrca, kStatic, kVllmV0 };
enum class QueueOrder : uint8_t { kFcfs, kSjf, kPriority, kEdf, kFair };
enum class PreemptionMode : uint8_t { kRecompute, kSwap };

struct LocalSchedulerConfig {
  LocalPolicy policy = LocalPolicy::kChunked;
  int32_t max_num_seqs = 256;             // >= 1
  int32_t max_num_batched_tokens = 2048;  // 0: no limit (orca, static); chunked: >= max_num_seqs
  bool reserve_full_prompt = true;        // chunked
  QueueOrder queue_order = QueueOrder::kFcfs;
  double watermark = 0;         // [0, 1): share of the blocks kept free at an admission
  double max_memory_ratio = 1;  // (0, 1]: of the blocks, for an admission of a new request
  int32_t async_depth = 1;      // 1 or 2 (chunked)
  PreemptionMode preemption = PreemptionMode::kRecompute;
  bool oracle_output_length = false;  // kSjf knows the output length
};

struct LocalPolicyInfo {
  LocalPolicy policy;
  std::string_view name;         // as in specs
  std::string_view description;  // one line, for the catalog
};
[[nodiscard]] const std::vector<LocalPolicyInfo>& LocalSchedulers();

struct QueueOrderInfo {
  QueueOrder order;
  std::string_view name;
  std::string_view description;
};
[[nodiscard]] const std::vector<QueueOrderInfo>& QueueOrders();

class LocalScheduler {
 public:
  virtual ~LocalScheduler() = default;
  // Decides what runs next. Leaves the state's iteration empty when there is nothing to run.
  virtual void FormBatch(WorkerState& state) = 0;
  // Whether a request that got its last token keeps row and blocks until its batch ends.
  [[nodiscard]] virtual bool KeepsFinished() const { return false; }
};

[[nodiscard]] std::unique_ptr<LocalScheduler> MakeLocalScheduler(
    const LocalSchedulerConfig& config);

}  // namespace tokensim
