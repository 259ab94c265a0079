// From a specification to a plan that can run, in one call.
//
//   PreparedSpec prepared = PrepareSpec(spec, TracePolicy::AnyPath("configs"));
//   if (prepared.plan == nullptr) Print(prepared.findings);
//   Simulation simulation(prepared.plan);
//
// Steps: expand presets, read the trace file into rows, fill in every default, check everything,
// compile. All findings are given, not just the first: a part with an error keeps only those checks
// back that need it. Never throws, never crashes on any input message.
// Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/run/plan.h"
#include "tokensim/v1/simulation.pb.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim {

// Which files a spec may name: traces, profile bundles, calibrations.
struct TracePolicy {
  // Directory that relative paths start from.
  std::string base_dir = ".";
  bool allow_paths = false;
  bool confine_to_base_dir = true;  // after resolving links and ..

  static TracePolicy AnyPath(std::string base_dir) { return {std::move(base_dir), true, false}; }
  static TracePolicy Below(std::string dir) { return {std::move(dir), true, true}; }
  static TracePolicy NoPaths() { return {}; }
};

struct PreparedSpec {
  // Errors and warnings in the order of the spec's fields.
  std::vector<v1::Finding> findings;
  // As far as known, also when there are errors; else 0.
  int64_t num_requests = 0;
  int64_t num_workers = 0;
  // The rest is set only when no finding is an ERROR.
  v1::Spec resolved;  // presets expanded, defaults filled, trace as rows: preparing it again gives
                      // the same plan and digest
  std::string
      digest;  // "sha256:..." or similar, of the resolved spec; name and description excluded
  std::shared_ptr<const Plan> plan;
  std::vector<v1::WorkerEstimate> workers;  // one per group

  [[nodiscard]] bool ok() const { return plan != nullptr; }
};

// `unread`: fields that the text of the spec has, but the message has not (YamlError.unread), because
// they could not be read. With any there is no plan, and nothing is said of them.
[[nodiscard]] PreparedSpec PrepareSpec(const v1::Spec& spec, const TracePolicy& traces,
                                       const std::vector<std::string>& unread = {});

// `prepared` as the answer of EstimateSimulation: findings, sizes, rough cost.
[[nodiscard]] v1::Estimate ToEstimate(const PreparedSpec& prepared);

}  // namespace tokensim
