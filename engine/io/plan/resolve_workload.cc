// The traffic: what a trace stands for, conversations, prefix groups, client classes, and what goes
// together.
#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/resolve.h"

namespace tokensim {
namespace {

constexpr int32_t kMaxTurns = 1'000;
constexpr int32_t kDefaultMinTurns = 2;
constexpr int32_t kDefaultMaxTurns = 7;
constexpr double kDefaultThinkSeconds = 10;
constexpr int64_t kMaxContext = 2'000'000'000;
constexpr int32_t kMaxGroups = 1'000'000;
constexpr int32_t kMaxPrefix = 100'000'000;
constexpr int kMaxClasses = 64;
constexpr int32_t kMaxInFlight = 10'000'000;
constexpr int32_t kMaxPriority = 1'000'000;

bool LengthsAreSet(const v1::Lengths& lengths) {
  return !lengths.preset().empty() || lengths.source_case() != v1::Lengths::SOURCE_NOT_SET;
}

std::string ClassPath(int index) { return absl::StrCat("workload.classes[", index, "]"); }

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
    findings->Warning("workload.trace", "is not used by arrival or lengths");
    workload->clear_trace();
  } else {
    ResolveTrace(policy, workload->mutable_trace(), findings);
  }
}

// The workload's lengths may be left out when every class has its own.
void ResolveAllLengths(v1::Workload* workload, Findings* findings) {
  const bool all_own =
      workload->classes_size() > 0 &&
      std::all_of(workload->classes().begin(), workload->classes().end(),
                  [](const v1::ClientClass& client) { return LengthsAreSet(client.lengths()); });
  if (all_own && !LengthsAreSet(workload->lengths())) {
    workload->clear_lengths();
  } else {
    ResolveLengths("workload.lengths", workload->mutable_lengths(), findings);
  }
}

// Whether the rows of the trace say which turns a conversation has.
bool HasTraceConversations(const v1::Workload& workload) {
  return workload.trace().rows().conversation_size() > 0 && workload.lengths().has_trace() &&
         !workload.lengths().trace().resample();
}

void ResolveTurns(const Checker& check, v1::Conversations* conversations) {
  if (!conversations->has_single_turn_share()) conversations->set_single_turn_share(0.5);
  check.NotNegative("single_turn_share", conversations->single_turn_share(), 1);
  if (!conversations->has_min_turns()) {
    conversations->set_min_turns(conversations->has_max_turns()
                                     ? std::clamp(conversations->max_turns(), 1, kDefaultMinTurns)
                                     : kDefaultMinTurns);
  }
  if (!check.Range("min_turns", conversations->min_turns(), 1, kMaxTurns)) return;
  if (!conversations->has_max_turns()) {
    conversations->set_max_turns(std::max(kDefaultMaxTurns, conversations->min_turns()));
  }
  check.Range("max_turns", conversations->max_turns(), conversations->min_turns(), kMaxTurns);
}

void ResolveConversations(v1::Workload* workload, Findings* findings) {
  if (!workload->has_conversations()) return;
  const Checker check(findings, "workload.conversations");
  v1::Conversations* conversations = workload->mutable_conversations();
  if (!HasTraceConversations(*workload)) {
    ResolveTurns(check, conversations);
  } else if (conversations->has_single_turn_share() || conversations->has_min_turns() ||
             conversations->has_max_turns()) {
    check.Error("",
                "the trace's rows say how many turns a conversation has: give think_time and "
                "max_context_tokens only");
  }
  if (!conversations->has_think_time()) {
    conversations->mutable_think_time()->mutable_exponential()->set_mean_seconds(
        kDefaultThinkSeconds);
  }
  ResolveDuration(Checker(findings, check.Path("think_time")), conversations->mutable_think_time());
  if (conversations->has_max_context_tokens()) {
    check.Range("max_context_tokens", conversations->max_context_tokens(), 2, kMaxContext);
  }
}

void ResolvePrefixGroups(v1::Workload* workload, Findings* findings) {
  if (!workload->has_prefix_groups()) return;
  const Checker check(findings, "workload.prefix_groups");
  v1::PrefixGroups* groups = workload->mutable_prefix_groups();
  if (check.Required("groups", groups->has_groups(), "how many different beginnings there are")) {
    check.Range("groups", groups->groups(), 1, kMaxGroups);
  }
  if (check.Required("tokens", groups->has_tokens(), "length of the shared beginning")) {
    check.Range("tokens", groups->tokens(), 1, kMaxPrefix);
  }
  if (!groups->has_zipf()) groups->set_zipf(0);
  check.NotNegative("zipf", groups->zipf(), 10);
}

void ResolveClass(const Checker& check, bool trace_conversations, v1::ClientClass* client) {
  if (check.Required("name", !client->name().empty(), "what the class is called in the report")) {
    check.Length("name", client->name(), 200);
  }
  if (!client->has_share()) client->set_share(1);
  check.Positive("share", client->share(), 1e9);
  if (!client->has_priority()) client->set_priority(0);
  check.Range("priority", client->priority(), -kMaxPriority, kMaxPriority);
  if (client->has_lengths()) {
    if (trace_conversations) {
      check.Error("lengths", "cannot be given: the trace's conversations have their own");
    }
    ResolveLengths(check.Path("lengths"), client->mutable_lengths(), check.findings());
  }
  CheckSlo(Checker(check.findings(), check.Path("slo")), client->slo());
  if (client->has_slo() && client->slo().ByteSizeLong() == 0) client->clear_slo();
}

void ResolveClasses(v1::Workload* workload, Findings* findings) {
  if (workload->classes_size() > kMaxClasses) {
    findings->Error("workload.classes", absl::StrCat("has ", workload->classes_size(),
                                                     " entries; at most 64 are allowed"));
    return;
  }
  const bool trace_conversations = HasTraceConversations(*workload);
  std::set<std::string> names;
  for (int i = 0; i < workload->classes_size(); ++i) {
    v1::ClientClass* client = workload->mutable_classes(i);
    const Checker check(findings, ClassPath(i));
    ResolveClass(check, trace_conversations, client);
    if (!client->name().empty() && !names.insert(client->name()).second) {
      check.Error("name", "is the name of another class");
    }
  }
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
    check.Positive("duration_seconds", workload->duration_seconds(), kMaxSimulatedSeconds);
    return;
  }
  const int rows = workload->trace().rows().input_tokens_size();
  if (!workload->has_num_requests() && rows > 0) workload->set_num_requests(rows);
  if (workload->has_num_requests()) {
    check.Range("num_requests", workload->num_requests(), 1, kMaxRequests);
  } else if (!workload->has_trace() && !check.Broken("trace")) {
    check.Missing("num_requests", "is missing: how many requests to simulate, or duration_seconds");
  }
}

void CheckMaxInFlight(const Checker& check, const v1::Workload& workload) {
  if (!workload.has_max_in_flight()) return;
  check.Range("max_in_flight", workload.max_in_flight(), 1, kMaxInFlight);
  const char* other = workload.arrival().has_closed_loop() ? "arrival.closed_loop has users"
                      : workload.has_conversations() || HasTraceConversations(workload)
                          ? "conversations have one request at a time"
                          : nullptr;
  if (other != nullptr) {
    check.Error("max_in_flight", absl::StrCat("is for requests that wait for nothing else; ", other));
  }
}

}  // namespace

void ResolveWorkload(const TracePolicy& policy, v1::Workload* workload, Findings* findings) {
  const Checker check(findings, "workload");
  ResolveTraceUse(policy, workload, findings);
  ResolveExtent(check, workload);
  ResolveArrival(workload, findings);
  ResolveAllLengths(workload, findings);
  ResolveConversations(workload, findings);
  ResolvePrefixGroups(workload, findings);
  ResolveClasses(workload, findings);
  CheckMaxInFlight(check, *workload);
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

}  // namespace tokensim
