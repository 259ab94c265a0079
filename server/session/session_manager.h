// Everything the server does with simulations, free of gRPC.
//
//   SessionManager manager(options, store, executor, clock, metrics);
//   auto created = manager.Create({.parent = "", .spec = spec});
//   auto watch = manager.Watch(name, [&] { auto now = manager.Get(name); });
//
// Accepting a simulation checks and compiles its spec, stores the resolved spec, and queues it; a
// Runner runs it. Methods may compute or block, so they are called from an executor, never from a
// gRPC thread. Errors carry the reasons of docs/errors.md. Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/io/events/replay_reader.h"
#include "server/base/clock.h"
#include "server/base/executor.h"
#include "server/session/plan_cache.h"
#include "server/session/resource.h"
#include "server/session/runner.h"
#include "server/session/session_metrics.h"
#include "server/session/spec_check.h"
#include "server/session/watchers.h"
#include "server/store/store.h"

namespace tokensim {

struct SessionOptions {
  RunnerOptions runner;
  SpecLimits spec_limits;
  size_t report_page_bytes = 2 << 20;
  // A simulation that was running whenever the server ended is not run again after so many attempts.
  int32_t max_attempts = 5;
};

struct ReportPart {
  v1::Report part;
  std::string next_page_token;  // empty: the last
};

struct CreateParams {
  std::string parent;         // empty: the default tenant
  std::string simulation_id;  // empty: chosen here
  const v1::Spec* spec = nullptr;
  std::map<std::string, std::string> labels;
  std::string request_id;
  std::string request_digest;  // of the whole request but its request_id
  bool validate_only = false;
};

struct ListParams {
  std::string parent;
  std::string filter;
  int32_t page_size = 0;
  std::string page_token;
};

struct ListPage {
  std::vector<v1::Simulation> simulations;
  std::string next_page_token;
};

class SessionManager {
 public:
  // All references outlive the manager; `executor` calls the watchers.
  SessionManager(SessionOptions options, Store& store, Executor& executor, const Clock& clock,
                 SessionMetrics& metrics);

  // Takes up what the store has left unfinished: once, before any other call. With an error of the
  // store, accepted simulations would never run: the server must not start.
  absl::Status Recover();

  absl::StatusOr<v1::Simulation> Create(const CreateParams& params);
  absl::StatusOr<v1::Simulation> Get(const SimulationName& name,
                                     ResourceView view = ResourceView::kStandard);
  absl::StatusOr<ListPage> List(const ListParams& params);
  // Idempotent: an ended simulation is returned unchanged.
  absl::StatusOr<v1::Simulation> Cancel(const SimulationName& name, const std::string& reason);
  absl::Status Delete(const SimulationName& name, const std::string& etag, bool force);
  [[nodiscard]] v1::Estimate Estimate(const v1::Spec& spec) const;
  // The full report of a simulation that SUCCEEDED.
  absl::StatusOr<std::shared_ptr<const v1::Report>> GetReport(const SimulationName& name);
  // The same report in parts of about report_page_bytes, which merge into the whole.
  absl::StatusOr<ReportPart> GetReportPage(const SimulationName& name,
                                           const std::string& page_token);
  absl::StatusOr<std::unique_ptr<ReplayReader>> OpenReplay(const SimulationName& name,
                                                           const ReplayOptions& options);
  // Calls `notify` on the executor after each change, until the handle is dropped.
  [[nodiscard]] Watchers::Handle Watch(const SimulationName& name, std::function<void()> notify);

  [[nodiscard]] int64_t queued() const { return runner_.queued(); }
  [[nodiscard]] int64_t running() const { return runner_.running(); }

  // From now on Create is refused with UNAVAILABLE SERVER_DRAINING.
  void Drain() { draining_ = true; }
  [[nodiscard]] bool draining() const { return draining_; }
  // Drain, then stop running simulations at their next slice; they are PENDING again.
  void Stop();

 private:
  // What an earlier server left unfinished is PENDING again, or at its end.
  void TakeUp(SimulationRecord* found) const;
  [[nodiscard]] absl::Status CheckParams(const CreateParams& params) const;
  // Answers from what is stored; nullopt when the simulation has to be made.
  absl::StatusOr<std::optional<v1::Simulation>> FindEarlier(const CreateParams& params,
                                                            const std::string& tenant);
  // REPORT_NOT_READY without a report.
  absl::StatusOr<SimulationRecord> GetWithReport(const SimulationName& name);
  absl::StatusOr<v1::Simulation> Accept(SimulationRecord record, Runner::Place place,
                                        std::shared_ptr<const Plan> plan);

  const SessionOptions options_;
  Store& store_;
  const Clock& clock_;
  SessionMetrics& metrics_;
  std::atomic<bool> draining_ = false;
  Watchers watchers_;
  PlanCache plans_;
  Runner runner_;
};

}  // namespace tokensim
