#include "engine/io/plan/features/duration.h"

#include "engine/io/plan/fields.h"

namespace tokensim {
namespace {

constexpr double kMaxWaitSeconds = 1e6;
constexpr FieldRule kExponential[] = {
    Positive("mean_seconds", kMaxWaitSeconds).Required("the mean duration")};
constexpr FieldRule kUniform[] = {
    NotNegative("min_seconds", kMaxWaitSeconds).Required("the shortest duration"),
    NotNegative("max_seconds", kMaxWaitSeconds).Required("the longest duration")};

}  // namespace

void ResolveDuration(const Checker& check, v1::DurationDistribution* duration) {
  switch (duration->distribution_case()) {
    case v1::DurationDistribution::kFixedSeconds:
      check.NotNegative("fixed_seconds", duration->fixed_seconds(), kMaxWaitSeconds);
      return;
    case v1::DurationDistribution::kExponential:
      ResolveFields(Checker(check.findings(), check.Path("exponential")), kExponential,
                    duration->mutable_exponential());
      return;
    case v1::DurationDistribution::kUniform: {
      const Checker at(check.findings(), check.Path("uniform"));
      v1::UniformDuration* uniform = duration->mutable_uniform();
      if (ResolveFields(at, kUniform, uniform) && uniform->max_seconds() < uniform->min_seconds()) {
        at.Error("max_seconds", "must not be below min_seconds");
      }
      return;
    }
    case v1::DurationDistribution::DISTRIBUTION_NOT_SET:
      check.Missing("", "is empty: give one of fixed_seconds, exponential, uniform");
  }
}

double MeanSeconds(const v1::DurationDistribution& duration) {
  if (duration.has_exponential()) return duration.exponential().mean_seconds();
  if (duration.has_uniform()) {
    return 0.5 * (duration.uniform().min_seconds() + duration.uniform().max_seconds());
  }
  return duration.fixed_seconds();
}

DurationDistribution ToDuration(const v1::DurationDistribution& d) {
  if (d.has_exponential()) return ExponentialDuration{d.exponential().mean_seconds()};
  if (d.has_uniform()) return UniformDuration{d.uniform().min_seconds(), d.uniform().max_seconds()};
  return FixedDuration{d.fixed_seconds()};
}

}  // namespace tokensim
