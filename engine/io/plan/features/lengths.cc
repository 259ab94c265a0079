#include "engine/io/plan/features/lengths.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/limits.h"
#include "engine/io/plan/fields.h"
#include "engine/io/presets/catalog.h"

namespace tokensim {
namespace {

constexpr int kMaxPoints = 100'000;
constexpr int kMaxBins = 10'000;
constexpr int32_t kDefaultMax = 1'000'000;  // of distributions without an end
constexpr FieldRule kMin[] = {Integer("min", 1, kMaxLength).Default(1)};
constexpr FieldRule kLogNormal[] = {
    Positive("median", kMaxLength).Required("the median length"),
    NotNegative("sigma", 100).Required("standard deviation of the logarithm")};
constexpr FieldRule kPoisson[] = {Positive("mean", kMaxLength).Required("the mean length")};

void CheckTable(const Checker& check, const v1::QuantileTable& table) {
  const int points = table.probabilities_size();
  if (points < 2 || points > kMaxPoints) {
    check.Error("probabilities",
                absl::StrCat("has ", points, " entries; allowed are 2 .. ", Grouped(kMaxPoints)));
    return;
  }
  if (table.values_size() != points) {
    check.Error("values",
                absl::StrCat("has ", table.values_size(), " entries; probabilities has ", points));
    return;
  }
  if (table.probabilities(0) != 0 || table.probabilities(points - 1) != 1) {
    check.Error("probabilities", "must begin with 0 and end with 1");
  }
  for (int i = 1; i < points; ++i) {
    if (!(table.probabilities(i) > table.probabilities(i - 1))) {
      check.Error(absl::StrCat("probabilities[", i, "]"), "must be larger than the one before");
      break;
    }
  }
  for (int i = 0; i < points; ++i) {
    const double value = table.values(i);
    if (!(value >= 0 && value <= kMaxLength)) {
      check.NotNegative(absl::StrCat("values[", i, "]"), value, kMaxLength);
      break;
    }
    if (i > 0 && value < table.values(i - 1)) {
      check.Error(absl::StrCat("values[", i, "]"), "must not be smaller than the one before");
      break;
    }
  }
}

void ResolveUniform(const Checker& check, const v1::UniformLength& uniform) {
  const bool min = check.Required("min", uniform.has_min(), "the shortest length");
  const bool max = check.Required("max", uniform.has_max(), "the longest length");
  if (min && max && check.Range("min", uniform.min(), 1, kMaxLength)) {
    check.Range("max", uniform.max(), uniform.min(), kMaxLength);
  }
}

// The least length is 1 unless given, the greatest a million.
template <typename Distribution>
void ResolveClamp(const Checker& check, Distribution* d) {
  if (!d->has_max()) d->set_max(std::max(kDefaultMax, d->min()));
  if (ResolveFields(check, kMin, d)) check.Range("max", d->max(), d->min(), kMaxLength);
}

void ResolveDistribution(const std::string& path, bool present, v1::LengthDistribution* d,
                         Findings* findings) {
  const Checker check(findings, path);
  switch (d->distribution_case()) {
    case v1::LengthDistribution::kFixed:
      check.Range("fixed", d->fixed(), 1, kMaxLength);
      return;
    case v1::LengthDistribution::kUniform:
      return ResolveUniform(Checker(findings, check.Path("uniform")), d->uniform());
    case v1::LengthDistribution::kLognormal:
      ResolveFields(Checker(findings, check.Path("lognormal")), kLogNormal, d->mutable_lognormal());
      return ResolveClamp(Checker(findings, check.Path("lognormal")), d->mutable_lognormal());
    case v1::LengthDistribution::kPoisson:
      ResolveFields(Checker(findings, check.Path("poisson")), kPoisson, d->mutable_poisson());
      return ResolveClamp(Checker(findings, check.Path("poisson")), d->mutable_poisson());
    case v1::LengthDistribution::kQuantiles:
      return CheckTable(Checker(findings, check.Path("quantiles")), d->quantiles());
    case v1::LengthDistribution::DISTRIBUTION_NOT_SET:
      break;
  }
  check.Missing("", absl::StrCat(present ? "is empty" : "is missing",
                                 ": give one of fixed, uniform, lognormal, poisson, quantiles"));
}

void ResolveJoint(const Checker& check, v1::JointLengths* joint) {
  CheckTable(Checker(check.findings(), check.Path("input")), joint->input());
  const int bins = joint->bins_size();
  if (bins < 1 || bins > kMaxBins) {
    check.Error("bins",
                absl::StrCat("has ", bins, " entries; allowed are 1 .. ", Grouped(kMaxBins)));
    return;
  }
  // The last bin is open: whatever the others leave.
  if (!joint->bins(bins - 1).has_max_input()) {
    joint->mutable_bins(bins - 1)->set_max_input(kMaxLength);
  }
  int32_t previous = 0;
  for (int i = 0; i < bins; ++i) {
    const Checker bin(check.findings(), check.Path(absl::StrCat("bins[", i, "]")));
    const v1::OutputGivenInput& entry = joint->bins(i);
    CheckTable(Checker(check.findings(), bin.Path("output")), entry.output());
    if (!bin.Required("max_input", entry.has_max_input(), "inputs up to this are in the bin") ||
        !bin.Range("max_input", entry.max_input(), previous + 1, kMaxLength)) {
      return;
    }
    previous = entry.max_input();
  }
  const auto& inputs = joint->input().values();
  if (!inputs.empty() && inputs[inputs.size() - 1] > previous) {
    check.Error(absl::StrCat("bins[", bins - 1, "].max_input"),
                absl::StrCat("is ", previous, "; the last bin must cover every input, up to ",
                             inputs[inputs.size() - 1]));
  }
}

void ExpandPreset(const Checker& check, v1::Lengths* lengths) {
  if (lengths->preset().empty()) return;
  if (lengths->source_case() != v1::Lengths::SOURCE_NOT_SET) {
    check.Error("preset", "excludes independent, joint and trace; give one of them");
    return;
  }
  const v1::Lengths* preset = FindLengthsPreset(lengths->preset());
  if (preset == nullptr) {
    check.NotFound("preset", "lengths preset", lengths->preset(), LengthsPresetNames());
    return;
  }
  v1::Lengths expanded = *preset;
  expanded.clear_preset();
  if (!lengths->description().empty()) expanded.set_description(lengths->description());
  *lengths = std::move(expanded);
}

int64_t Shortest(const v1::QuantileTable& table) {
  return table.values().empty() ? 1 : std::max<int64_t>(1, std::llround(table.values(0)));
}

int64_t Shortest(const v1::LengthDistribution& d) {
  switch (d.distribution_case()) {
    case v1::LengthDistribution::kFixed:
      return d.fixed();
    case v1::LengthDistribution::kUniform:
      return d.uniform().min();
    case v1::LengthDistribution::kLognormal:
      return d.lognormal().min();
    case v1::LengthDistribution::kPoisson:
      return d.poisson().min();
    case v1::LengthDistribution::kQuantiles:
      return Shortest(d.quantiles());
    case v1::LengthDistribution::DISTRIBUTION_NOT_SET:
      break;
  }
  return 1;
}

int64_t Shortest(const v1::TraceRows& rows) {
  int64_t shortest = int64_t{2} * kMaxLength;
  for (int i = 0; i < rows.input_tokens_size(); ++i) {
    shortest = std::min(shortest, int64_t{rows.input_tokens(i)} + rows.output_tokens(i));
  }
  return shortest;
}

QuantileTable ToTable(const v1::QuantileTable& table) {
  return {{table.probabilities().begin(), table.probabilities().end()},
          {table.values().begin(), table.values().end()}};
}

LengthDistribution ToDistribution(const v1::LengthDistribution& d) {
  switch (d.distribution_case()) {
    case v1::LengthDistribution::kUniform:
      return UniformLength{d.uniform().min(), d.uniform().max()};
    case v1::LengthDistribution::kLognormal:
      return LogNormalLength{d.lognormal().median(), d.lognormal().sigma(), d.lognormal().min(),
                             d.lognormal().max()};
    case v1::LengthDistribution::kPoisson:
      return PoissonLength{d.poisson().mean(), d.poisson().min(), d.poisson().max()};
    case v1::LengthDistribution::kQuantiles:
      return ToTable(d.quantiles());
    default:
      return FixedLength{d.fixed()};
  }
}

}  // namespace

bool LengthsAreSet(const v1::Lengths& lengths) {
  return !lengths.preset().empty() || lengths.source_case() != v1::Lengths::SOURCE_NOT_SET;
}

void ResolveLengths(const std::string& path, v1::Lengths* lengths, Findings* findings) {
  const Checker check(findings, path);
  const int64_t errors = findings->errors();
  ExpandPreset(check, lengths);
  if (findings->errors() > errors && lengths->source_case() == v1::Lengths::SOURCE_NOT_SET) return;
  check.Length("description", lengths->description(), 4000);
  switch (lengths->source_case()) {
    case v1::Lengths::kIndependent: {
      v1::IndependentLengths* independent = lengths->mutable_independent();
      const bool input = independent->has_input();
      const bool output = independent->has_output();
      ResolveDistribution(check.Path("independent.input"), input, independent->mutable_input(),
                          findings);
      ResolveDistribution(check.Path("independent.output"), output, independent->mutable_output(),
                          findings);
      return;
    }
    case v1::Lengths::kJoint:
      return ResolveJoint(Checker(findings, check.Path("joint")), lengths->mutable_joint());
    case v1::Lengths::kTrace:
      if (!lengths->trace().has_resample()) lengths->mutable_trace()->set_resample(false);
      return;
    case v1::Lengths::SOURCE_NOT_SET:
      check.Missing("",
                    "is missing: give a preset (`tokensim catalog lengths`), independent, joint "
                    "or, with a trace, trace");
  }
}

int64_t ShortestOf(const v1::Lengths& lengths, const v1::TraceRows& rows) {
  if (lengths.has_trace()) return Shortest(rows);
  if (lengths.has_independent()) {
    return Shortest(lengths.independent().input()) + Shortest(lengths.independent().output());
  }
  int64_t output = kMaxLength;
  for (const auto& bin : lengths.joint().bins()) output = std::min(output, Shortest(bin.output()));
  return Shortest(lengths.joint().input()) + output;
}

// Absent where every class has lengths of its own: then never used.
Lengths ToLengths(const v1::Lengths& lengths) {
  if (lengths.source_case() == v1::Lengths::SOURCE_NOT_SET) return IndependentLengths{};
  if (lengths.has_trace()) return TraceLengths{lengths.trace().resample()};
  if (lengths.has_independent()) {
    return IndependentLengths{ToDistribution(lengths.independent().input()),
                              ToDistribution(lengths.independent().output())};
  }
  JointLengths joint{ToTable(lengths.joint().input()), {}};
  for (const v1::OutputGivenInput& bin : lengths.joint().bins()) {
    joint.bins.push_back({bin.max_input(), ToTable(bin.output())});
  }
  return joint;
}

}  // namespace tokensim
