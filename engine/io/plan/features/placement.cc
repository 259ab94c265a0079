#include "engine/io/plan/features/placement.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/fields.h"

namespace tokensim {
namespace {

constexpr int32_t kMaxNode = 99'999;
constexpr FieldRule kCount[] = {Integer("count", 1, kMaxWorkers).Default(1)};
constexpr FieldRule kNodes[] = {
    Integer("node", 0, kMaxNode),                  // the group's index unless given
    Integer("workers_per_node", 1, kMaxWorkers)};  // all of the group unless given

void CheckLastNode(const Checker& check, const v1::WorkerGroup& group) {
  const int64_t last = group.node() + (WorkersOf(group) - 1) / group.workers_per_node();
  if (last <= kMaxNode) return;
  check.Error("workers_per_node",
              absl::StrCat("is ", group.workers_per_node(), ": the last worker would be on node ",
                           Grouped(last), "; the last one allowed is ", Grouped(kMaxNode)));
}

}  // namespace

int64_t WorkersOf(const v1::WorkerGroup& group) {
  return int64_t{group.count()} * group.parallelism().data();
}

int64_t InitialWorkersOf(const v1::WorkerGroup& group) {
  return int64_t{group.initial_count()} * group.parallelism().data();
}

void ResolveCount(const Checker& check, v1::WorkerGroup* group) {
  ResolveFields(check, kCount, group);
}

void ResolvePlacement(const Checker& check, int index, v1::WorkerGroup* group) {
  const bool known = !check.Broken("count") && !check.Broken("parallelism");
  if (!group->has_node()) group->set_node(index);
  if (!group->has_workers_per_node() && known) {
    group->set_workers_per_node(
        static_cast<int32_t>(std::min<int64_t>(WorkersOf(*group), kMaxWorkers)));
  }
  if (ResolveFields(check, kNodes, group) && known) CheckLastNode(check, *group);
  if (!group->has_initial_count()) {
    group->set_initial_count(group->count());
  } else {
    check.Range("initial_count", group->initial_count(), 0,
                known ? group->count() : std::numeric_limits<int32_t>::max());
  }
}

}  // namespace tokensim
