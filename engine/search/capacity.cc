#include "engine/search/capacity.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tokensim::search {

namespace {

constexpr double kLonger = 4;

absl::Status Check(const CapacityLimits& limits) {
  if (!(limits.min > 0) || !(limits.max >= limits.min)) {
    return absl::InvalidArgumentError("the limits of the search must be 0 < min <= max");
  }
  if (!(limits.start >= limits.min && limits.start <= limits.max)) {
    return absl::InvalidArgumentError(absl::StrCat("the search must start within its limits, ",
                                                   limits.min, " .. ", limits.max, "; got ",
                                                   limits.start));
  }
  if (!(limits.tolerance > 0)) return absl::InvalidArgumentError("the tolerance must be above 0");
  return absl::OkStatus();
}

class Search {
 public:
  Search(const CapacityLimits& limits, const Judge& judge) : limits_(limits), judge_(judge) {}

  absl::StatusOr<Capacity> Run() {
    absl::Status status = Settle(limits_.start);
    for (int i = 0; status.ok() && i < limits_.longer_runs && capacity_.settled; ++i) {
      if (!capacity_.good) break;
      const double value = *capacity_.good;
      const absl::StatusOr<bool> serves = Try(value, capacity_.scale * kLonger);
      if (!serves.ok()) return serves.status();
      if (*serves) break;
      // Nothing that shorter runs said is believed, but that it is too much.
      capacity_.scale *= kLonger;
      capacity_.good.reset();
      capacity_.bad = value;
      capacity_.broke = capacity_.trials.back().broke;
      status = Settle(Toward(value, 1 / (1 + 4 * limits_.tolerance)));
    }
    if (status.ok()) status = LookBeyond();
    if (!status.ok()) return status;
    return std::move(capacity_);
  }

 private:
  [[nodiscard]] bool largest() const { return limits_.seek == Seek::kLargest; }
  // `value` made harder to serve by `factor` > 1, easier below 1; whole where wanted, and then
  // another value at least.
  [[nodiscard]] double Toward(double value, double factor) const {
    double next = largest() ? value * factor : value / factor;
    if (limits_.whole) {
      next = next > value ? std::max(std::round(next), value + 1)
                          : std::min(std::round(next), value - 1);
    }
    return std::clamp(next, limits_.min, limits_.max);
  }

  absl::StatusOr<bool> Try(double value, double scale) {
    const absl::StatusOr<Verdict> verdict = judge_(value, scale);
    if (!verdict.ok()) return verdict.status();
    capacity_.trials.push_back({value, scale, verdict->serves, verdict->broke});
    return verdict->serves;
  }

  // Tries a value and moves the bracket to it.
  absl::StatusOr<bool> Bracket(double value) {
    const absl::StatusOr<bool> serves = Try(value, capacity_.scale);
    if (!serves.ok()) return serves;
    if (*serves) {
      capacity_.good = value;
    } else {
      capacity_.bad = value;
      capacity_.broke = capacity_.trials.back().broke;
    }
    return serves;
  }

  [[nodiscard]] bool OutOfTrials() const {
    return capacity_.trials.size() >= static_cast<size_t>(limits_.max_trials);
  }

  // From `start` to a bracket within the tolerance.
  absl::Status Settle(double start) {
    capacity_.settled = false;
    double value = start;
    while (!OutOfTrials()) {
      const absl::StatusOr<bool> serves = Bracket(value);
      if (!serves.ok()) return serves.status();
      if (capacity_.good && capacity_.bad) break;
      const double next = Toward(value, *serves ? 2 : 0.5);
      if (next == value) {  // at a limit
        capacity_.settled = true;
        return absl::OkStatus();
      }
      value = next;
    }
    while (!OutOfTrials()) {
      if (Near(*capacity_.good, *capacity_.bad)) {
        capacity_.settled = true;
        return absl::OkStatus();
      }
      const absl::StatusOr<bool> serves = Bracket(Between(*capacity_.good, *capacity_.bad));
      if (!serves.ok()) return serves.status();
    }
    return absl::OkStatus();
  }

  [[nodiscard]] bool Near(double a, double b) const {
    if (limits_.whole && std::abs(a - b) <= 1) return true;
    return std::max(a, b) / std::min(a, b) <= 1 + limits_.tolerance;
  }
  [[nodiscard]] double Between(double a, double b) const {
    const double middle = std::sqrt(a * b);
    if (!limits_.whole) return middle;
    return std::clamp(std::round(middle), std::min(a, b) + 1, std::max(a, b) - 1);
  }

  // Whether values beyond `bad` do not serve either.
  absl::Status LookBeyond() {
    if (!capacity_.bad || !capacity_.settled) return absl::OkStatus();
    const double bad = *capacity_.bad;
    for (const double factor : {1.25, 2.0}) {
      const double value = Toward(bad, factor);
      if (value == bad) break;  // a limit
      const absl::StatusOr<bool> serves = Try(value, capacity_.scale);
      if (!serves.ok()) return serves.status();
      if (*serves) capacity_.monotone = false;
    }
    return absl::OkStatus();
  }

  const CapacityLimits& limits_;
  const Judge& judge_;
  Capacity capacity_;
};

}  // namespace

absl::StatusOr<Capacity> FindCapacity(const CapacityLimits& limits, const Judge& judge) {
  if (const absl::Status status = Check(limits); !status.ok()) return status;
  return Search(limits, judge).Run();
}

}  // namespace tokensim::search
