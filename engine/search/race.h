// The best of many candidates: all run shortly, the promising ones again and longer.
//
//   auto race = RunRace(candidates.size(), {}, [&](const std::vector<size_t>& who, double scale) {
//     return Measure(who, scale);
//   });
//   if (race.ok() && race->best) Print(candidates[*race->best]);
//
// A candidate is left behind when it does not serve, or when another that serves is as good in every
// objective and better in one by more than the slack of its run's length. Those that are not left
// behind run again at the next length, until each of them has run at the last. What was left behind
// because of another comes back when that one fails a longer run, so the answer never rests on a
// short run alone; only a candidate that failed a short run is not tried again.
//
// This is successive halving (Jamieson and Talwalkar, 2016) with the Pareto front in the place of the
// better half: with one objective a single candidate, or those that tie, are left.
//
// A function of the scores alone: deterministic when they are. Not thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tokensim::search {

struct Score {
  bool serves = false;
  std::string broke;               // why not
  std::vector<double> objectives;  // less is better; the first decides, the next between equals
};

// The scores of candidates in runs of `scale` times the usual length, in their order. An error ends
// the race.
using Evaluate =
    std::function<absl::StatusOr<std::vector<Score>>(const std::vector<size_t>&, double scale)>;

struct RaceRules {
  std::vector<double> scales = {0.25, 1, 4};  // of the length of runs; not empty, rising
  double slack = 0.03;  // relative; below the last length, where figures are less certain
};

enum class Fate { kFront, kDominated, kFails };

struct Standing {
  Fate fate = Fate::kFails;
  size_t runs = 0;                  // how many lengths it has run, from the first on
  Score score;                      // of the longest
  std::optional<size_t> dominator;  // who leaves it behind
};

struct Race {
  std::optional<size_t> best;  // of the front; nothing: no candidate serves
  std::vector<Standing> standings;
};

// INVALID_ARGUMENT for rules out of range; INTERNAL when scores are not as many as asked for or have
// different numbers of objectives; else what `evaluate` answers.
[[nodiscard]] absl::StatusOr<Race> RunRace(size_t candidates, const RaceRules& rules,
                                           const Evaluate& evaluate);

}  // namespace tokensim::search
