// Failures and scaling: each event by itself, then all of a group in order of time.
#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/resolve.h"

namespace tokensim {
namespace {

constexpr int kMaxEvents = 10'000;

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
void ResolveFields(const Checker& check, int64_t workers, v1::WorkerEvent* event) {
  const v1::WorkerAction action = event->action();
  if (OfOneWorker(action)) {
    if (check.Required("worker", event->has_worker(), "the worker's index in the group")) {
      check.Range("worker", event->worker(), 0, workers - 1);
    }
    if (event->has_count()) {
      check.Error("count", "is not allowed: only scale_up and scale_down have a count");
    }
  } else {
    if (event->has_worker()) {
      check.Error("worker", "is not allowed: only fail and recover name a worker");
    }
    if (event->has_count()) check.Range("count", event->count(), 1, workers);
    if (event->count() == 1) event->clear_count();
  }
  const bool starts = action == v1::WORKER_ACTION_RECOVER || action == v1::WORKER_ACTION_SCALE_UP;
  if (event->has_start_delay_seconds() && !starts) {
    check.Error("start_delay_seconds", "is not allowed: only recover and scale_up have a delay");
  }
  check.NotNegative("start_delay_seconds", event->start_delay_seconds(), kMaxSimulatedSeconds);
  if (event->start_delay_seconds() == 0) event->clear_start_delay_seconds();
}

void ResolveEvent(const Checker& check, const v1::Spec& spec, const Groups& groups,
                  v1::WorkerEvent* event) {
  if (check.Required("at_seconds", event->has_at_seconds(), "when it happens")) {
    check.NotNegative("at_seconds", event->at_seconds(), kMaxSimulatedSeconds);
  }
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
                                : std::numeric_limits<int32_t>::max();
    ResolveFields(check, workers, event);
  }
}

// What a group's workers are at some time.
struct GroupState {
  int64_t workers = 0;
  int64_t serving = 0;  // failed ones included
  std::set<int32_t> failed;
};

void Apply(const Checker& check, const v1::WorkerEvent& event, GroupState* state) {
  const int64_t count = event.has_count() ? event.count() : 1;
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

// After the workers.
void ResolveFaults(v1::Spec* spec, Findings* findings) {
  if (!spec->has_faults()) return;
  const int events = spec->faults().events_size();
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
    e.count = event.has_count() ? event.count() : 1;
    e.delay = FromSeconds(event.start_delay_seconds());
  }
  return compiled;
}

}  // namespace tokensim
