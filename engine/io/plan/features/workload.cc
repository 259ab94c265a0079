#include "engine/io/plan/features/workload.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/arrival.h"
#include "engine/io/plan/features/client_classes.h"
#include "engine/io/plan/features/conversations.h"
#include "engine/io/plan/features/lengths.h"
#include "engine/io/plan/features/limits.h"
#include "engine/io/plan/features/prefix_groups.h"
#include "engine/io/plan/features/trace.h"
#include "engine/io/plan/fields.h"

namespace tokensim {
namespace {

// One of the two. Of a trace all rows unless given.
constexpr FieldRule kDuration[] = {Positive("duration_seconds", kMaxSimulatedSeconds)};
constexpr FieldRule kRequests[] = {Integer("num_requests", 1, kMaxRequests)};
constexpr FieldRule kPlaces[] = {Integer("max_in_flight", 1, 10'000'000)};

// What a trace stands for when the spec leaves it out, and whether it is used at all.
void ResolveTraceUse(const TracePolicy& policy, v1::Workload* workload, Findings* findings) {
  const bool has_trace = workload->has_trace();
  const bool unread = !has_trace && findings->Broken("workload.trace");
  if (has_trace && workload->arrival().process_case() == v1::Arrival::PROCESS_NOT_SET) {
    workload->mutable_arrival()->mutable_trace();
  }
  if (has_trace && !LengthsAreSet(workload->lengths())) {
    workload->mutable_lengths()->mutable_trace();
  }
  constexpr char kMissing[] = "needs workload.trace with a path or rows";
  bool used = false;
  const auto use = [&](bool uses, const std::string& path) {
    used = used || uses;
    if (uses && !has_trace && !unread) findings->Error(path, kMissing);
  };
  use(workload->arrival().has_trace(), "workload.arrival.trace");
  use(workload->lengths().has_trace(), "workload.lengths.trace");
  for (int i = 0; i < workload->classes_size(); ++i) {
    use(workload->classes(i).lengths().has_trace(), ClassPath(i) + ".lengths.trace");
  }
  if (!has_trace) return;
  if (!used && (workload->has_num_requests() || workload->has_duration_seconds())) {
    RemoveUnused(Checker(findings, "workload"), "trace", "neither arrival nor lengths take it",
                 workload);
  } else {
    ResolveTrace(policy, workload->mutable_trace(), findings);
  }
}

// The workload's lengths apply unless every class has its own. `given`: not only by the trace.
void ResolveAllLengths(bool given, v1::Workload* workload, Findings* findings) {
  const bool apply = !ClassesHaveAllLengths(*workload) || HasTraceConversations(*workload);
  if (!apply && !given) return workload->clear_lengths();
  ResolveLengths("workload.lengths", workload->mutable_lengths(), findings);
  if (apply) return;
  RemoveUnused(Checker(findings, "workload"), "lengths", "every class has its own", workload);
}

// Keeps of the rows what the run uses: the conversations of rows in order, the hash ids of prompts
// that are as in the trace.
void DropUnusedColumns(v1::Workload* workload, Findings* findings) {
  v1::TraceRows* rows = workload->mutable_trace()->mutable_rows();
  const bool in_order = HasTraceConversations(*workload);
  if (rows->conversation_size() > 0 && !in_order) {
    if (workload->lengths().has_trace()) {
      findings->Warning("workload.lengths.trace.resample",
                        "draws single rows: the trace's conversations are not kept");
    }
    rows->clear_conversation();
  }
  if (rows->hash_ids_size() == 0) return;
  bool used = workload->lengths().has_trace();
  for (const v1::ClientClass& client : workload->classes()) {
    used = used || client.lengths().has_trace();
  }
  const bool grouped = workload->has_prefix_groups();
  if (used && (grouped || workload->has_conversations())) {
    findings->Warning("workload.trace", absl::StrCat("its hash_ids are not used: ",
                                                     grouped ? "prefix_groups" : "conversations",
                                                     " say what the prompts contain"));
    used = false;
  }
  if (used) return;
  rows->clear_hash_ids();
  rows->clear_hash_counts();
  rows->clear_hash_block_tokens();
}

// How long the traffic goes on: a number of requests, or a time.
void ResolveExtent(const Checker& check, v1::Workload* workload) {
  if (workload->has_duration_seconds()) {
    if (workload->has_num_requests()) {
      check.Error("duration_seconds",
                  "excludes num_requests: arrivals end at a time or after a number");
    }
    ResolveFields(check, kDuration, workload);
    return;
  }
  const int rows = workload->trace().rows().input_tokens_size();
  if (!workload->has_num_requests() && rows > 0) workload->set_num_requests(rows);
  if (workload->has_num_requests()) {
    ResolveFields(check, kRequests, workload);
  } else if (!workload->has_trace() && !check.Broken("trace")) {
    check.Missing("num_requests", "is missing: how many requests to simulate, or duration_seconds");
  }
}

void ResolveMaxInFlight(const Checker& check, v1::Workload* workload) {
  if (!workload->has_max_in_flight() || !ResolveFields(check, kPlaces, workload)) return;
  const char* other = workload->arrival().has_closed_loop() ? "arrival.closed_loop has users"
                      : workload->has_conversations() || HasTraceConversations(*workload)
                          ? "conversations have one request at a time"
                          : nullptr;
  if (other != nullptr) {
    check.Error("max_in_flight", absl::StrCat("is for requests that wait for nothing else; ", other));
  }
}

}  // namespace

void ResolveWorkload(const TracePolicy& policy, v1::Workload* workload, Findings* findings) {
  const Checker check(findings, "workload");
  const bool lengths_given = LengthsAreSet(workload->lengths());
  ResolveTraceUse(policy, workload, findings);
  ResolveExtent(check, workload);
  ResolveArrival(workload, findings);
  ResolveAllLengths(lengths_given, workload, findings);
  ResolveConversations(workload, findings);
  ResolvePrefixGroups(workload, findings);
  ResolveClasses(workload, findings);
  ResolveMaxInFlight(check, workload);
  if (!workload->has_trace()) return;
  const bool used = workload->arrival().has_trace() || workload->lengths().has_trace() ||
                    std::any_of(workload->classes().begin(), workload->classes().end(),
                                [](const auto& client) { return client.lengths().has_trace(); });
  if (used) {
    DropUnusedColumns(workload, findings);
  } else {
    workload->clear_trace();  // it only gave the number of requests
  }
}

int64_t ShortestRequest(const v1::Workload& workload) {
  const v1::TraceRows& rows = workload.trace().rows();
  int64_t shortest = int64_t{2} * kMaxLength;
  bool shared = workload.classes().empty();  // some requests have the workload's lengths
  for (const v1::ClientClass& client : workload.classes()) {
    if (client.has_lengths()) shortest = std::min(shortest, ShortestOf(client.lengths(), rows));
    shared = shared || !client.has_lengths();
  }
  if (shared) shortest = std::min(shortest, ShortestOf(workload.lengths(), rows));
  return shortest + workload.prefix_groups().tokens();
}

Workload CompileWorkload(const v1::Workload& workload) {
  Workload compiled;
  compiled.num_requests = workload.num_requests();
  if (workload.has_duration_seconds()) {
    compiled.duration = std::max<SimTime>(1, FromSeconds(workload.duration_seconds()));
  }
  compiled.arrivals = ToArrivals(workload.arrival());
  compiled.lengths = ToLengths(workload.lengths());
  if (workload.has_trace()) compiled.trace = ToTraceTable(workload.trace().rows());
  if (workload.has_conversations()) {
    compiled.conversations = ToConversations(workload.conversations());
  }
  if (workload.has_prefix_groups()) {
    compiled.prefix_groups = ToPrefixGroups(workload.prefix_groups());
  }
  compiled.max_in_flight = workload.max_in_flight();
  for (const v1::ClientClass& client : workload.classes()) {
    compiled.classes.push_back({client.share(), std::nullopt});
    if (client.has_lengths()) compiled.classes.back().lengths = ToLengths(client.lengths());
  }
  return compiled;
}

}  // namespace tokensim
