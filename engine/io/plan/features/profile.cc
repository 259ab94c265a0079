#include "engine/io/plan/features/profile.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/compute/profile/profile_pricer.h"
#include "engine/io/plan/fields.h"
#include "engine/io/plan/files.h"
#include "engine/io/profile/profile_reader.h"

namespace tokensim {
namespace {

constexpr FieldRule kFields[] = {
    Enumeration("outside_range", "a rule").Default(v1::OUTSIDE_RANGE_EXTRAPOLATE)};

void ToMessage(const OperatorTimesTable& table, v1::OperatorTable* out) {
  out->mutable_layers()->Assign(table.layers.begin(), table.layers.end());
  out->mutable_layer()->Assign(table.layer.begin(), table.layer.end());
  out->mutable_size()->Assign(table.size.begin(), table.size.end());
  out->mutable_microseconds()->Assign(table.microseconds.begin(), table.microseconds.end());
}

OperatorTimesTable FromMessage(const v1::OperatorTable& table) {
  return {{table.layers().begin(), table.layers().end()},
          {table.layer().begin(), table.layer().end()},
          {table.size().begin(), table.size().end()},
          {table.microseconds().begin(), table.microseconds().end()}};
}

v1::ProfileTables ToMessage(const ProfileTables& tables) {
  v1::ProfileTables out;
  out.set_source(tables.source);
  ToMessage(tables.dense, out.mutable_dense());
  ToMessage(tables.per_sequence, out.mutable_per_sequence());
  const AttentionTimesTable& a = tables.attention;
  v1::AttentionTable* attention = out.mutable_attention();
  attention->mutable_prefill_chunk()->Assign(a.prefill_chunk.begin(), a.prefill_chunk.end());
  attention->mutable_kv_prefill()->Assign(a.kv_prefill.begin(), a.kv_prefill.end());
  attention->mutable_n_decode()->Assign(a.n_decode.begin(), a.n_decode.end());
  attention->mutable_kv_decode()->Assign(a.kv_decode.begin(), a.kv_decode.end());
  attention->mutable_microseconds()->Assign(a.microseconds.begin(), a.microseconds.end());
  if (const MoeTimesTable& m = tables.moe; m.size() > 0) {
    v1::MoeTable* moe = out.mutable_moe();
    moe->mutable_tokens()->Assign(m.tokens.begin(), m.tokens.end());
    moe->mutable_activated_experts()->Assign(m.activated_experts.begin(),
                                             m.activated_experts.end());
    moe->mutable_microseconds()->Assign(m.microseconds.begin(), m.microseconds.end());
  }
  if (const SkewTable& s = tables.skew; s.size() > 0) {
    v1::SkewTable* skew = out.mutable_skew();
    skew->mutable_prefill_chunk()->Assign(s.prefill_chunk.begin(), s.prefill_chunk.end());
    skew->mutable_n_decode()->Assign(s.n_decode.begin(), s.n_decode.end());
    skew->mutable_alpha()->Assign(s.alpha.begin(), s.alpha.end());
  }
  return out;
}

// Replaces the path by what is there.
bool ReadTables(const TracePolicy& policy, const Checker& check, v1::Profile* profile) {
  if (profile->path().empty()) {
    check.Missing("", "is empty: give path (a profile bundle) or tables");
    return false;
  }
  const auto path = LocateFile(policy, profile->path(), "profile bundle", /*directory=*/true);
  if (!path.ok()) {
    check.Error("path", std::string(path.status().message()));
    return false;
  }
  const auto tables = ReadProfile(path->string());
  if (!tables.ok()) {
    check.Error("path", ReadError(policy, *path, profile->path(), tables.status()));
    return false;
  }
  *profile->mutable_tables() = ToMessage(*tables);
  if (!profile->has_skew()) profile->set_skew(tables->use_skew);
  profile->clear_path();
  return true;
}

// The largest batch the scheduler may form against the largest that was measured.
void RefuseOutside(const Checker& check, const v1::WorkerGroup& group, const ProfileRange& range) {
  const v1::LocalScheduler& scheduler = group.local_scheduler();
  const auto within = [&](const char* what, int64_t most, int64_t measured) {
    if (most <= measured) return;
    check.Error("outside_range",
                absl::StrCat("is refuse, and ", what, " may reach ", Grouped(most),
                             most == std::numeric_limits<int64_t>::max() ? " (no limit)" : "",
                             "; the profile ends at ", Grouped(measured)));
  };
  const int64_t budget = scheduler.max_num_batched_tokens();
  const int64_t length = scheduler.max_model_len();
  within("tokens in an iteration (max_num_batched_tokens)", budget == 0 ? length : budget,
         range.tokens);
  within("sequences (max_num_seqs)", scheduler.max_num_seqs(),
         std::min(range.sequences, range.decodes));
  within("the context of a request (max_model_len)", length, range.context);
}

}  // namespace

void ResolveProfile(const TracePolicy& policy, const Checker& check, bool limits_known,
                    v1::WorkerGroup* group) {
  v1::Profile* profile = group->mutable_compute()->mutable_profile();
  if (!ResolveFields(check, kFields, profile)) return;
  if (!profile->has_tables() && !ReadTables(policy, check, profile)) return;
  // `skew` says what to take of the bundle, as `path` says which.
  if (profile->has_skew() && !profile->skew()) profile->mutable_tables()->clear_skew();
  profile->clear_skew();
  check.Length("tables.source", profile->tables().source(), 4'000);
  const ProfileTables tables = ToProfileTables(profile->tables());
  const absl::Status status = CheckProfile(tables);
  if (!status.ok()) {
    check.Error("tables", std::string(status.message()));
  } else if (profile->outside_range() == v1::OUTSIDE_RANGE_REFUSE && limits_known) {
    RefuseOutside(check, *group, RangeOf(tables));
  }
}

ProfileTables ToProfileTables(const v1::ProfileTables& tables) {
  ProfileTables out;
  out.source = tables.source();
  out.dense = FromMessage(tables.dense());
  out.per_sequence = FromMessage(tables.per_sequence());
  const v1::AttentionTable& a = tables.attention();
  out.attention = {{a.prefill_chunk().begin(), a.prefill_chunk().end()},
                   {a.kv_prefill().begin(), a.kv_prefill().end()},
                   {a.n_decode().begin(), a.n_decode().end()},
                   {a.kv_decode().begin(), a.kv_decode().end()},
                   {a.microseconds().begin(), a.microseconds().end()}};
  const v1::MoeTable& m = tables.moe();
  out.moe = {{m.tokens().begin(), m.tokens().end()},
             {m.activated_experts().begin(), m.activated_experts().end()},
             {m.microseconds().begin(), m.microseconds().end()}};
  const v1::SkewTable& s = tables.skew();
  out.skew = {{s.prefill_chunk().begin(), s.prefill_chunk().end()},
              {s.n_decode().begin(), s.n_decode().end()},
              {s.alpha().begin(), s.alpha().end()}};
  return out;
}

}  // namespace tokensim
