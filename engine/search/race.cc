#include "engine/search/race.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tokensim::search {

namespace {

absl::Status Check(const RaceRules& rules) {
  const std::vector<double>& scales = rules.scales;
  const bool rising =
      std::adjacent_find(scales.begin(), scales.end(), std::greater_equal<>()) == scales.end();
  if (scales.empty() || !(scales.front() > 0) || !rising) {
    return absl::InvalidArgumentError("the lengths of the runs must be above 0 and rise");
  }
  if (!(rules.slack >= 0)) return absl::InvalidArgumentError("the slack must be 0 or more");
  return absl::OkStatus();
}

// As good in everything, and better in something by more than the slack.
bool Dominates(const Score& a, const Score& b, double slack) {
  bool better = false;
  for (size_t i = 0; i < a.objectives.size(); ++i) {
    if (a.objectives[i] > b.objectives[i]) return false;
    better |= b.objectives[i] - a.objectives[i] > slack * std::abs(b.objectives[i]);
  }
  return better;
}

class Racing {
 public:
  Racing(size_t candidates, const RaceRules& rules, const Evaluate& evaluate)
      : rules_(rules), evaluate_(evaluate) {
    race_.standings.resize(candidates);
  }

  absl::StatusOr<Race> Run() {
    std::vector<size_t> next(race_.standings.size());
    for (size_t i = 0; i < next.size(); ++i) next[i] = i;
    while (!next.empty()) {
      if (const absl::Status status = Measure(next); !status.ok()) return status;
      Rank();
      next = Promising();
    }
    Choose();
    return std::move(race_);
  }

 private:
  [[nodiscard]] bool Ended(const Standing& standing) const {
    return standing.runs == rules_.scales.size();
  }

  // All of them have run equally often.
  absl::Status Measure(const std::vector<size_t>& who) {
    const double scale = rules_.scales[race_.standings[who.front()].runs];
    absl::StatusOr<std::vector<Score>> scores = evaluate_(who, scale);
    if (!scores.ok()) return scores.status();
    if (scores->size() != who.size()) return absl::InternalError("a score for each is wanted");
    for (size_t i = 0; i < who.size(); ++i) {
      Standing& standing = race_.standings[who[i]];
      standing.score = std::move((*scores)[i]);
      ++standing.runs;
      if (!standing.score.serves) continue;
      if (!objectives_) objectives_ = standing.score.objectives.size();
      if (standing.score.objectives.size() != *objectives_) {
        return absl::InternalError("scores with different objectives");
      }
    }
    return absl::OkStatus();
  }

  [[nodiscard]] bool LeavesBehind(const Standing& by, const Standing& standing) const {
    const double slack = Ended(by) && Ended(standing) ? 0 : rules_.slack;
    return by.score.serves && Dominates(by.score, standing.score, slack);
  }

  void Rank() {
    const std::vector<Standing>& all = race_.standings;
    for (Standing& standing : race_.standings) {
      standing.fate = Fate::kFails;
      const std::optional<size_t> before = std::exchange(standing.dominator, std::nullopt);
      if (!standing.score.serves) continue;
      standing.fate = Fate::kFront;
      size_t by = all.size();
      if (before && LeavesBehind(all[*before], standing)) {
        by = *before;  // most often nothing has changed
      } else {
        for (by = 0; by < all.size() && !LeavesBehind(all[by], standing);) ++by;
      }
      if (by == all.size()) continue;
      standing.fate = Fate::kDominated;
      standing.dominator = by;
    }
  }

  // Of the front, those that have run least; empty: all have run at the last length.
  [[nodiscard]] std::vector<size_t> Promising() const {
    size_t fewest = rules_.scales.size();
    for (const Standing& standing : race_.standings) {
      if (standing.fate == Fate::kFront) fewest = std::min(fewest, standing.runs);
    }
    std::vector<size_t> who;
    if (fewest == rules_.scales.size()) return who;
    for (size_t i = 0; i < race_.standings.size(); ++i) {
      const Standing& standing = race_.standings[i];
      if (standing.fate == Fate::kFront && standing.runs == fewest) who.push_back(i);
    }
    return who;
  }

  void Choose() {
    for (size_t i = 0; i < race_.standings.size(); ++i) {
      if (race_.standings[i].fate != Fate::kFront) continue;
      const std::vector<double>& objectives = race_.standings[i].score.objectives;
      if (!race_.best || objectives < race_.standings[*race_.best].score.objectives) {
        race_.best = i;
      }
    }
  }

  const RaceRules& rules_;
  const Evaluate& evaluate_;
  std::optional<size_t> objectives_;
  Race race_;
};

}  // namespace

absl::StatusOr<Race> RunRace(size_t candidates, const RaceRules& rules, const Evaluate& evaluate) {
  if (const absl::Status status = Check(rules); !status.ok()) return status;
  return Racing(candidates, rules, evaluate).Run();
}

}  // namespace tokensim::search
