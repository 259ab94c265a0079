// A checked, resolved run: what engine/spec compiles a specification to.
//
// Immutable; shared by any number of concurrent runs. Everything here has been validated: the
// engine checks nothing again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/time.h"
#include "engine/compute/compute_model.h"
#include "engine/schedule/global/global_scheduler.h"
#include "engine/schedule/local/local_scheduler.h"
#include "engine/workload/workload.h"

namespace tokensim {

// One worker: an engine instance on one or more devices.
struct WorkerPlan {
  std::string name;      // group and index, as gpu/0
  std::string hardware;  // display name of the device
  std::shared_ptr<const ComputeModel> compute;
  LocalSchedulerConfig scheduler;
  int64_t kv_blocks = 0;  // usable blocks, >= 1
  int32_t block_size = 16;
  int64_t max_model_len = 0;  // longest input + output, >= 2
};

struct SloPlan {
  std::optional<SimTime> ttft;
  std::optional<SimTime> tpot;
  std::optional<SimTime> max_itl;
  std::optional<SimTime> e2e;

  [[nodiscard]] bool any() const { return ttft || tpot || max_itl || e2e; }
};

struct Plan {
  std::string name;
  uint64_t seed = 0;
  std::vector<WorkerPlan> workers;  // not empty
  GlobalSchedulerConfig global_scheduler;
  Workload workload;
  SloPlan slo;
  SimTime max_simulated_time = kNever;
  int64_t max_events = 0;                       // 0: no limit
  SimTime snapshot_interval = kNanosPerSecond;  // 0: no snapshots
  int32_t timeline_points = 256;                // 2 .. 4096
};

}  // namespace tokensim
