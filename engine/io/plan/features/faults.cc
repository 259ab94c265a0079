#include "engine/io/plan/features/faults.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/parallelism.h"
#include "engine/io/plan/features/placement.h"
#include "engine/io/plan/fields.h"

namespace tokensim {
namespace {

constexpr int kMaxEvents = 10'000;
constexpr int32_t kAnyWorker = std::numeric_limits<int32_t>::max();
constexpr FieldRule kTime[] = {
    NotNegative("at_seconds", kMaxSimulatedSeconds).Required("when it happens")};
// Of recover and scale_up.
constexpr FieldRule kDelay[] = {
    NotNegative("start_delay_seconds", kMaxSimulatedSeconds).Default(0)};

std::string EventPath(int event) { return absl::StrCat("faults.events[", event, "]"); }

// Index of each group.
using Groups = std::map<std::string, int>;

Groups GroupsOf(const v1::Spec& spec) {
  Groups groups;
  for (int i = 0; i < spec.workers_size(); ++i) groups.emplace(spec.workers(i).name(), i);
  return groups;
}

bool NamesBroken(const Findings& findings, const v1::Spec& spec) {
  bool broken = spec.workers_size() == 0;
  for (int i = 0; i < spec.workers_size(); ++i) {
    broken = broken || findings.Broken(absl::StrCat("workers[", i, "].name"));
  }
  return broken;
}

// How many workers the group has, and how many serve from the start, is known.
bool SizeKnown(const Findings& findings, int group) {
  const std::string path = absl::StrCat("workers[", group, "].");
  return !findings.Broken(path + "count") && !findings.Broken(path + "initial_count") &&
         !findings.Broken(path + "parallelism");
}

void CheckGroup(const Checker& check, const v1::Spec& spec, const Groups& groups,
                const std::string& name) {
  if (!check.Required("group", !name.empty(), "name a group of workers")) return;
  if (groups.count(name) > 0 || NamesBroken(*check.findings(), spec)) return;
  std::vector<std::string> names;
  for (const auto& [known, index] : groups) names.push_back(known);
  check.NotFound("group", "worker group", name, names, kSpecInvalid);
}

bool OfOneWorker(v1::WorkerAction action) {
  return action == v1::WORKER_ACTION_FAIL || action == v1::WORKER_ACTION_RECOVER;
}

// Fields that belong to some actions only.
void ResolveAction(const Checker& check, int64_t workers, v1::WorkerEvent* event) {
  const FieldRule worker[] = {
      Integer("worker", 0, workers - 1).Required("the worker's index in the group")};
  const FieldRule count[] = {Integer("count", 1, workers).Default(1)};
  const v1::WorkerAction action = event->action();
  if (OfOneWorker(action)) {
    ResolveFields(check, worker, event);
    RemoveUnused(check, count, "only scale_up and scale_down have a count", event);
  } else {
    RemoveUnused(check, worker, "only fail and recover name a worker", event);
    ResolveFields(check, count, event);
  }
  if (action == v1::WORKER_ACTION_RECOVER || action == v1::WORKER_ACTION_SCALE_UP) {
    ResolveFields(check, kDelay, event);
  } else {
    RemoveUnused(check, kDelay, "only recover and scale_up have a delay", event);
  }
}

void ResolveEvent(const Checker& check, const v1::Spec& spec, const Groups& groups,
                  v1::WorkerEvent* event) {
  ResolveFields(check, kTime, event);
  CheckGroup(check, spec, groups, event->group());
  if (!v1::WorkerAction_IsValid(event->action()) || event->action() == 0) {
    check.Missing("action", "is missing: allowed are fail, recover, scale_up, scale_down");
  } else if (const auto group = groups.find(event->group()); group != groups.end()) {
    const bool shared = ToParallelism(spec.workers(group->second).parallelism()).data > 1;
    if (shared && SizeKnown(*check.findings(), group->second)) {
      check.Error("group",
                  "has replicas that share their experts, which do not fail or scale alone");
      return;
    }
    // With the most that there can be, when the number has an error of its own.
    const int64_t workers = SizeKnown(*check.findings(), group->second)
                                ? WorkersOf(spec.workers(group->second))
                                : kAnyWorker;
    ResolveAction(check, workers, event);
  }
}

// What a group's workers are at some time.
struct GroupState {
  int64_t workers = 0;
  int64_t serving = 0;  // failed ones included
  std::set<int32_t> failed;
};

void Apply(const Checker& check, const v1::WorkerEvent& event, GroupState* state) {
  const int64_t count = event.count();
  switch (event.action()) {
    case v1::WORKER_ACTION_FAIL:
      if (!state->failed.insert(event.worker()).second) {
        check.Error("worker", absl::StrCat("is ", event.worker(), ", which has failed already"));
      }
      break;
    case v1::WORKER_ACTION_RECOVER:
      if (state->failed.erase(event.worker()) == 0) {
        check.Error("worker", absl::StrCat("is ", event.worker(), ", which has not failed before"));
      }
      break;
    case v1::WORKER_ACTION_SCALE_UP:
      if (state->serving + count > state->workers) {
        check.Error("count", absl::StrCat("is ", count, "; of the group's ", state->workers,
                                          " workers ", state->serving, " serve already"));
      } else {
        state->serving += count;
      }
      break;
    default:
      if (count > state->serving) {
        check.Error("count", absl::StrCat("is ", count, "; ", state->serving,
                                          " workers of the group serve"));
      } else {
        state->serving -= count;
      }
  }
}

// In order of time, and of the spec for equal times.
std::vector<int> ByTime(const v1::Faults& faults) {
  std::vector<int> order(static_cast<size_t>(faults.events_size()));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return faults.events(a).at_seconds() < faults.events(b).at_seconds();
  });
  return order;
}

void CheckOrder(const v1::Spec& spec, const Groups& groups, Findings* findings) {
  std::vector<GroupState> states(static_cast<size_t>(spec.workers_size()));
  for (size_t i = 0; i < states.size(); ++i) {
    const v1::WorkerGroup& group = spec.workers(static_cast<int>(i));
    states[i].workers = WorkersOf(group);
    states[i].serving = InitialWorkersOf(group);
  }
  for (const int i : ByTime(spec.faults())) {
    const v1::WorkerEvent& event = spec.faults().events(i);
    const auto group = static_cast<size_t>(groups.at(event.group()));
    Apply(Checker(findings, EventPath(i)), event, &states[group]);
  }
}

WorkerAction ToAction(v1::WorkerAction action) {
  switch (action) {
    case v1::WORKER_ACTION_RECOVER:
      return WorkerAction::kRecover;
    case v1::WORKER_ACTION_SCALE_UP:
      return WorkerAction::kScaleUp;
    case v1::WORKER_ACTION_SCALE_DOWN:
      return WorkerAction::kScaleDown;
    default:
      return WorkerAction::kFail;
  }
}

}  // namespace

void ResolveFaults(v1::Spec* spec, Findings* findings) {
  const int events = spec->faults().events_size();
  if (events == 0) return spec->clear_faults();  // an empty section says nothing
  if (events > kMaxEvents) {
    findings->Error("faults.events", absl::StrCat("has ", Grouped(events), " events; at most ",
                                                  Grouped(kMaxEvents), " are allowed"));
    return;
  }
  const Groups groups = GroupsOf(*spec);
  const int64_t errors = findings->errors();
  for (int i = 0; i < events; ++i) {
    ResolveEvent(Checker(findings, EventPath(i)), *spec, groups,
                 spec->mutable_faults()->mutable_events(i));
  }
  bool known =
      findings->errors() == errors && !findings->Broken("faults") && !NamesBroken(*findings, *spec);
  for (int i = 0; i < spec->workers_size(); ++i) known = known && SizeKnown(*findings, i);
  if (known) CheckOrder(*spec, groups, findings);
}

std::vector<WorkerEvent> CompileFaults(const v1::Spec& spec) {
  std::vector<int32_t> first_worker;
  int32_t workers = 0;
  for (const v1::WorkerGroup& group : spec.workers()) {
    first_worker.push_back(workers);
    workers += static_cast<int32_t>(WorkersOf(group));
  }
  const Groups groups = GroupsOf(spec);
  std::vector<WorkerEvent> compiled;
  for (const int i : ByTime(spec.faults())) {
    const v1::WorkerEvent& event = spec.faults().events(i);
    const int group = groups.at(event.group());
    WorkerEvent& e = compiled.emplace_back();
    e.time = FromSeconds(event.at_seconds());
    e.action = ToAction(event.action());
    e.first_worker = first_worker[static_cast<size_t>(group)];
    e.group_size = static_cast<int32_t>(WorkersOf(spec.workers(group)));
    if (OfOneWorker(event.action())) e.worker = e.first_worker + event.worker();
    if (event.has_count()) e.count = event.count();
    e.delay = FromSeconds(event.start_delay_seconds());
  }
  return compiled;
}

}  // namespace tokensim
