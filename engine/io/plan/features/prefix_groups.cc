#include "engine/io/plan/features/prefix_groups.h"

#include "engine/io/plan/fields.h"

namespace tokensim {
namespace {

constexpr FieldRule kFields[] = {
    Integer("groups", 1, 1'000'000).Required("how many different beginnings there are"),
    Integer("tokens", 1, 100'000'000).Required("length of the shared beginning"),
    NotNegative("zipf", 10).Default(0)};  // exponent of the groups' popularity

}  // namespace

void ResolvePrefixGroups(v1::Workload* workload, Findings* findings) {
  if (!workload->has_prefix_groups()) return;
  ResolveFields(Checker(findings, "workload.prefix_groups"), kFields,
                workload->mutable_prefix_groups());
}

PrefixGroupConfig ToPrefixGroups(const v1::PrefixGroups& groups) {
  return {groups.groups(), groups.tokens(), groups.zipf()};
}

}  // namespace tokensim
