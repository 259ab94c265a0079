#include "engine/io/plan/features/conversations.h"

#include <algorithm>

#include "engine/io/plan/features/duration.h"
#include "engine/io/plan/fields.h"

namespace tokensim {
namespace {

constexpr int32_t kMaxTurns = 1'000;
constexpr int32_t kDefaultMinTurns = 2;
constexpr int32_t kDefaultMaxTurns = 7;
constexpr double kDefaultThinkSeconds = 10;

// Not with a trace whose rows say which turns a conversation has.
constexpr FieldRule kSingleTurns[] = {NotNegative("single_turn_share", 1).Default(0.5)};
constexpr FieldRule kContext[] = {
    Integer("max_context_tokens", 2, 2'000'000'000)};  // no limit unless given

// Of the others, equally likely between: 2 .. 7, and what is given of it in any case.
void ResolveTurns(const Checker& check, v1::Conversations* conversations) {
  ResolveFields(check, kSingleTurns, conversations);
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

}  // namespace

// Whether the rows of the trace say which turns a conversation has.
bool HasTraceConversations(const v1::Workload& workload) {
  return workload.trace().rows().conversation_size() > 0 && workload.lengths().has_trace() &&
         !workload.lengths().trace().resample();
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
  ResolveFields(check, kContext, conversations);
}

ConversationConfig ToConversations(const v1::Conversations& conversations) {
  ConversationConfig config;
  config.single_turn_share = conversations.single_turn_share();
  config.min_turns = conversations.min_turns();
  config.max_turns = conversations.max_turns();
  config.think_time = ToDuration(conversations.think_time());
  config.max_context_tokens = conversations.max_context_tokens();
  return config;
}

}  // namespace tokensim
