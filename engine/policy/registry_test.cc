// What holds for the registries of every kind, and the policies of a plan that names none.
#include "engine/policy/evict/registry.h"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

#include "engine/compute/backend_registry.h"
#include "engine/network/sharing_registry.h"
#include "engine/policy/defaults.h"
#include "engine/policy/global/registry.h"
#include "engine/policy/local/registry.h"
#include "engine/policy/order/registry.h"
#include "engine/policy/victim/registry.h"

namespace tokensim {
namespace {

template <typename Factory>
void ExpectGood(const PolicyRegistry<Factory>& registry) {
  std::set<std::string_view> names;
  EXPECT_FALSE(registry.kind().empty());
  for (const PolicyEntry<Factory>* entry : registry.entries()) {
    SCOPED_TRACE(entry->name);
    EXPECT_TRUE(names.insert(entry->name).second) << "twice";
    EXPECT_FALSE(entry->description.empty());
    EXPECT_EQ(entry->description.find('\n'), std::string_view::npos);
    std::set<std::string_view> parameters;
    for (const Parameter& parameter : entry->parameters) {
      SCOPED_TRACE(parameter.name);
      EXPECT_TRUE(parameters.insert(parameter.name).second) << "twice";
      EXPECT_FALSE(parameter.description.empty());
      ParameterValues values(entry->parameters);
      if (parameter.type != ParameterType::kChoice) {
        EXPECT_EQ(values.Set(parameter.name, parameter.default_value), "") << "its own default";
      }
    }
    // Defaults need not be enough: a cost must be given.
    if (entry->check != nullptr && entry->check(ParameterValues(entry->parameters))) continue;
    EXPECT_EQ(registry.Make(entry->name)->name(), entry->name);
  }
  EXPECT_FALSE(names.empty());
}

TEST(RegistryTest, EveryEntryIsComplete) {
  ExpectGood(LocalSchedulers());
  ExpectGood(GlobalSchedulers());
  ExpectGood(QueueOrders());
  ExpectGood(Victims());
  ExpectGood(Evictions());
  ExpectGood(SharingRules());
  ExpectGood(Backends());
}

TEST(RegistryTest, OrdersNameVictimsThatExist) {
  for (const QueueOrderEntry* order : QueueOrders().entries()) {
    EXPECT_NE(Victims().Find(DefaultVictim(order->traits)), nullptr) << order->name;
  }
}

TEST(RegistryTest, OrdersAreKeysOfTheRequest) {
  const QueuedRequest request = {.tokens = 70, .priority = -2, .deadline = 900, .output_tokens = 5};
  const auto key = [&](std::string_view order, const NamedValues& values = {}) {
    return QueueOrders().Make(order, values)->Make({})->Key(request);
  };
  EXPECT_EQ(key("sjf"), 70);
  EXPECT_EQ(key("sjf", {{"oracle_output_length", 1}}), 75);
  EXPECT_EQ(key("priority"), -2);
  EXPECT_EQ(key("edf"), 900);
}

TEST(DefaultPoliciesTest, FillWhatIsLeftOut) {
  auto plan = std::make_shared<Plan>();
  plan->workers.resize(2);
  plan->memory_pool.emplace();
  plan->workers[1].scheduler.queue_order = QueueOrders().Make("priority");
  const auto complete = WithDefaultPolicies(plan);
  EXPECT_EQ(complete->global_scheduler->name(), "round_robin");
  EXPECT_EQ(complete->transfer_scheduler->name(), "least_kv");
  EXPECT_EQ(complete->workers[0].scheduler.policy->name(), "chunked");
  EXPECT_EQ(complete->workers[0].scheduler.queue_order->name(), "fcfs");
  EXPECT_EQ(complete->workers[0].scheduler.victim->name(), "last_admitted");
  EXPECT_EQ(complete->workers[1].scheduler.victim->name(), "lowest_priority");
  EXPECT_EQ(complete->memory_pool->eviction->name(), "lru");
  EXPECT_EQ(plan->global_scheduler, nullptr);
  EXPECT_EQ(WithDefaultPolicies(complete), complete) << "no copy";
}

}  // namespace
}  // namespace tokensim
