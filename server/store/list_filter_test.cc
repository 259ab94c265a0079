#include "server/store/list_filter.h"

#include "gtest/gtest.h"

namespace tokensim {
namespace {

SimulationRecord Record(const std::string& name, SimulationState state,
                        std::map<std::string, std::string> labels) {
  SimulationRecord record;
  auto spec = std::make_shared<v1::Spec>();
  spec->set_name(name);
  record.spec_name = name;
  record.spec = spec;
  record.state = state;
  record.labels = std::move(labels);
  return record;
}

bool Passes(const std::string& filter, const SimulationRecord& record) {
  const auto parsed = ParseListFilter(filter);
  EXPECT_TRUE(parsed.ok()) << filter << ": " << parsed.status();
  return parsed.ok() && (!*parsed || (*parsed)(record));
}

TEST(ListFilter, Conditions) {
  const auto record = Record("my \"run\"", v1::Simulation::RUNNING, {{"team", "infra"}});
  EXPECT_TRUE(Passes("", record));
  EXPECT_TRUE(Passes("  ", record));
  EXPECT_TRUE(Passes("state = RUNNING", record));
  EXPECT_TRUE(Passes("state=RUNNING", record));
  EXPECT_FALSE(Passes("state = FAILED", record));
  EXPECT_TRUE(Passes(R"(spec.name = "my \"run\"")", record));
  EXPECT_FALSE(Passes("spec.name = my", record));
  EXPECT_TRUE(Passes("labels.team = infra", record));
  EXPECT_TRUE(Passes("labels.team = \"infra\" AND state = RUNNING", record));
  EXPECT_FALSE(Passes("labels.team = infra AND state = FAILED", record));
  EXPECT_FALSE(Passes("labels.owner = infra", record));
}

TEST(ListFilter, RefusesNonsense) {
  for (const char* bad : {"state", "state =", "= RUNNING", "state = NOPE", "name = x",
                          "labels. = x", "state = RUNNING state = FAILED", "state = RUNNING AND",
                          "state = RUNNING OR state = FAILED", "spec.name = \"open",
                          "\"state\" = RUNNING", "state > RUNNING", "AND"}) {
    EXPECT_EQ(ParseListFilter(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_FALSE(ParseListFilter(std::string(5000, 'a')).ok());
}

TEST(ListFilter, ErrorsHoldWholeCharacters) {
  for (const auto& [filter, character] :
       {std::pair("labels.\u00FCn\u00EF = x", "\u00FC"), std::pair("state = \u20AC", "\u20AC"),
        std::pair("state > x", ">")}) {
    const std::string message(ParseListFilter(filter).status().message());
    EXPECT_TRUE(message.ends_with(std::string("unexpected ") + character)) << message;
  }
}

TEST(PageToken, StandsForOneQuery) {
  const std::string token = MakePageToken(42, "default|state = RUNNING");
  EXPECT_EQ(ParsePageToken(token, "default|state = RUNNING").value(), 42);
  EXPECT_FALSE(ParsePageToken(token, "default|").ok());
  EXPECT_FALSE(ParsePageToken("", "default|").ok());
  EXPECT_FALSE(ParsePageToken(std::string(32, 'z'), "default|").ok());
  for (size_t i = 0; i < token.size(); ++i) {
    std::string altered = token;
    altered[i] = altered[i] == '0' ? '1' : '0';
    EXPECT_FALSE(ParsePageToken(altered, "default|state = RUNNING").ok()) << i;
  }
}

}  // namespace
}  // namespace tokensim
