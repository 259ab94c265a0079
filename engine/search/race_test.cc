#include "engine/search/race.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace tokensim::search {
namespace {

using ::testing::ElementsAre;

// What each candidate scores in each run, by its length; missing: as in the one before.
struct Track {
  std::vector<std::map<double, Score>> scores;
  std::vector<std::pair<size_t, double>> runs;  // who ran, and how long

  Evaluate Play() {
    return [this](const std::vector<size_t>& who, double scale) {
      std::vector<Score> out;
      for (const size_t i : who) {
        runs.emplace_back(i, scale);
        out.push_back(std::prev(scores[i].upper_bound(scale))->second);
      }
      return out;
    };
  }
  size_t RunsOf(size_t candidate) const {
    size_t count = 0;
    for (const auto& [who, scale] : runs) count += who == candidate ? 1 : 0;
    return count;
  }
};

Score Serves(std::vector<double> objectives) { return {true, "", std::move(objectives)}; }
Score Fails() { return {false, "too slow", {}}; }

TEST(RunRace, TheCheapestThatServesIsBestAndAloneRunsLong) {
  Track track{
      .scores = {{{0, Serves({4})}}, {{0, Fails()}}, {{0, Serves({2})}}, {{0, Serves({8})}}}};
  const auto race = RunRace(4, {}, track.Play());
  ASSERT_TRUE(race.ok());
  EXPECT_EQ(race->best, 2U);
  EXPECT_EQ(race->standings[0].fate, Fate::kDominated);
  EXPECT_EQ(race->standings[0].dominator, 2U);
  EXPECT_EQ(race->standings[1].fate, Fate::kFails);
  EXPECT_EQ(race->standings[1].score.broke, "too slow");
  EXPECT_EQ(track.RunsOf(0), 1U);
  EXPECT_EQ(track.RunsOf(2), 3U);
  EXPECT_EQ(track.runs.back(), (std::pair<size_t, double>{2, 4}));
}

TEST(RunRace, WhoWasLeftBehindComesBackWhenTheBetterFailsALongRun) {
  Track track{.scores = {{{0, Serves({1})}, {4, Fails()}}, {{0, Serves({2})}}, {{0, Serves({3})}}}};
  const auto race = RunRace(3, {}, track.Play());
  ASSERT_TRUE(race.ok());
  EXPECT_EQ(race->best, 1U);
  EXPECT_EQ(race->standings[0].fate, Fate::kFails);
  EXPECT_EQ(race->standings[0].runs, 3U);
  EXPECT_EQ(track.RunsOf(1), 3U);
  EXPECT_EQ(track.RunsOf(2), 1U);
}

TEST(RunRace, SeveralObjectivesLeaveAFront) {
  Track track{.scores = {{{0, Serves({1, 9})}},
                         {{0, Serves({2, 5})}},
                         {{0, Serves({3, 6})}},  // worse than the one before in both
                         {{0, Serves({9, 1})}}}};
  const auto race = RunRace(4, {}, track.Play());
  ASSERT_TRUE(race.ok());
  std::vector<Fate> fates;
  for (const Standing& standing : race->standings) fates.push_back(standing.fate);
  EXPECT_THAT(fates, ElementsAre(Fate::kFront, Fate::kFront, Fate::kDominated, Fate::kFront));
  EXPECT_EQ(race->best, 0U);
}

TEST(RunRace, ShortRunsDoNotDecideBetweenAlmostEquals) {
  // The second is 1 % worse in the short run and better in the last.
  Track track{.scores = {{{0, Serves({100})}}, {{0, Serves({101})}, {4, Serves({99})}}}};
  const auto race = RunRace(2, {}, track.Play());
  ASSERT_TRUE(race.ok());
  EXPECT_EQ(race->best, 1U);
  EXPECT_EQ(race->standings[0].fate, Fate::kDominated);
  EXPECT_EQ(track.RunsOf(0), 3U);
}

TEST(RunRace, EqualsStayAndTheFirstIsBest) {
  Track track{.scores = {{{0, Serves({2, 3})}}, {{0, Serves({2, 3})}}}};
  const auto race = RunRace(2, {}, track.Play());
  ASSERT_TRUE(race.ok());
  EXPECT_EQ(race->best, 0U);
  EXPECT_EQ(race->standings[1].fate, Fate::kFront);
}

TEST(RunRace, NothingServes) {
  Track track{.scores = {{{0, Fails()}}, {{0, Fails()}}}};
  const auto race = RunRace(2, {}, track.Play());
  ASSERT_TRUE(race.ok());
  EXPECT_FALSE(race->best);
  EXPECT_EQ(track.runs.size(), 2U);
}

TEST(RunRace, NoCandidates) {
  Track track;
  const auto race = RunRace(0, {}, track.Play());
  ASSERT_TRUE(race.ok());
  EXPECT_FALSE(race->best);
}

TEST(RunRace, WrongRulesAndScores) {
  Track track{.scores = {{{0, Serves({2})}}, {{0, Serves({2, 3})}}}};
  EXPECT_EQ(RunRace(2, {}, track.Play()).status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(RunRace(2, {.scales = {}}, track.Play()).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RunRace(2, {.scales = {1, 1}}, track.Play()).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RunRace(2, {.scales = {0, 1}}, track.Play()).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RunRace(2, {.slack = -1}, track.Play()).status().code(),
            absl::StatusCode::kInvalidArgument);
  const Evaluate wrong = [](const std::vector<size_t>&,
                            double) -> absl::StatusOr<std::vector<Score>> {
    return absl::CancelledError("stop");
  };
  EXPECT_EQ(RunRace(2, {}, wrong).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace tokensim::search
