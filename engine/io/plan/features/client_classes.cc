#include "engine/io/plan/features/client_classes.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/conversations.h"
#include "engine/io/plan/features/lengths.h"
#include "engine/io/plan/features/slo.h"
#include "engine/io/plan/fields.h"

namespace tokensim {
namespace {

constexpr int kMaxClasses = 64;
constexpr int32_t kMaxPriority = 1'000'000;
constexpr FieldRule kFields[] = {Positive("share", 1e9).Default(1),
                                 Integer("priority", -kMaxPriority, kMaxPriority).Default(0)};

void ResolveClass(const Checker& check, bool trace_conversations, v1::ClientClass* client) {
  if (check.Required("name", !client->name().empty(), "what the class is called in the report")) {
    check.Length("name", client->name(), 200);
  }
  ResolveFields(check, kFields, client);
  if (!LengthsAreSet(client->lengths())) client->clear_lengths();  // they say nothing
  if (client->has_lengths()) {
    if (trace_conversations) {
      check.Error("lengths", "cannot be given: the trace's conversations have their own");
    }
    ResolveLengths(check.Path("lengths"), client->mutable_lengths(), check.findings());
  }
  if (client->slo().ByteSizeLong() == 0) client->clear_slo();
  if (client->has_slo()) {
    ResolveSlo(Checker(check.findings(), check.Path("slo")), client->mutable_slo());
  }
}

}  // namespace

std::string ClassPath(int index) { return absl::StrCat("workload.classes[", index, "]"); }

bool ClassesHaveAllLengths(const v1::Workload& workload) {
  return workload.classes_size() > 0 &&
         std::all_of(workload.classes().begin(), workload.classes().end(),
                     [](const v1::ClientClass& client) { return LengthsAreSet(client.lengths()); });
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

std::vector<ClassPlan> CompileClasses(const v1::Spec& resolved) {
  std::vector<ClassPlan> classes;
  for (const v1::ClientClass& client : resolved.workload().classes()) {
    v1::Slo slo = resolved.slo();
    slo.MergeFrom(client.slo());  // what the class states replaces the spec's, field by field
    classes.push_back({client.name(), client.priority(), CompileSlo(slo)});
  }
  return classes;
}

}  // namespace tokensim
