#include "engine/base/registry.h"

#include <gtest/gtest.h>

namespace tokensim {
namespace {

class Greeter {
 public:
  explicit Greeter(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

struct GreeterTraits {
  bool loud = false;
};

class GreeterFactory : public PolicyFactory<Greeter, GreeterTraits, std::string> {
 public:
  using PolicyFactory::PolicyFactory;
};
using GreeterEntry = PolicyEntry<GreeterFactory>;

constexpr Parameter kParameters[] = {
    IntegerParameter("times", 2, {.min = 0, .max = 9}, "how often")};

constinit const GreeterEntry kPlain = {
    {.name = "plain", .description = "says the name"},
    {},
    [](const ParameterValues& /*values*/) -> GreeterFactory::Maker {
      return [](const std::string& name) { return std::make_unique<Greeter>(name); };
    }};

constinit const GreeterEntry kRepeated = {
    {.name = "repeated", .description = "says it several times", .parameters = kParameters},
    {.loud = true},
    [](const ParameterValues& values) -> GreeterFactory::Maker {
      return [times = values.integer("times")](const std::string& name) {
        std::string text;
        for (int64_t i = 0; i < times; ++i) text += name;
        return std::make_unique<Greeter>(text);
      };
    },
    [](const ParameterValues& values) -> std::optional<ParameterProblem> {
      if (values.integer("times") > 0) return std::nullopt;
      return ParameterProblem{"times", "is 0; nothing would be said"};
    }};

constexpr const GreeterEntry* kEntries[] = {&kPlain, &kRepeated};
constexpr PolicyRegistry<GreeterFactory> kGreeters("greeter", kEntries);

TEST(PolicyRegistryTest, FindsByName) {
  EXPECT_EQ(kGreeters.Find("plain"), &kPlain);
  EXPECT_EQ(kGreeters.Find("plan"), nullptr);
  EXPECT_EQ(kGreeters.infos().size(), 2U);
  EXPECT_EQ(kGreeters.infos()[1]->description, "says it several times");
}

TEST(PolicyRegistryTest, FactoriesRememberWhatTheyWereMadeOf) {
  const auto factory = kGreeters.Make("repeated", {{"times", 3}});
  EXPECT_EQ(factory->name(), "repeated");
  EXPECT_TRUE(factory->traits().loud);
  EXPECT_EQ(factory->values().integer("times"), 3);
  EXPECT_EQ(factory->Make("ab")->text(), "ababab");
  EXPECT_EQ(kGreeters.Make("repeated")->Make("x")->text(), "xx");
  EXPECT_EQ(kGreeters.Make("plain")->Make("x")->text(), "x");
}

TEST(PolicyRegistryTest, CodeThatAsksForWhatIsNotThereIsWrong) {
  EXPECT_THROW(static_cast<void>(kGreeters.Make("plan")), InvariantError);
  EXPECT_THROW(static_cast<void>(kGreeters.Make("plain", {{"times", 1}})), InvariantError);
  EXPECT_THROW(static_cast<void>(kGreeters.Make("repeated", {{"times", 10}})), InvariantError);
  EXPECT_THROW(static_cast<void>(kGreeters.Make("repeated", {{"times", 0}})), InvariantError);
}

}  // namespace
}  // namespace tokensim
