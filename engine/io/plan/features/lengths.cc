#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/resolve.h"
#include "engine/io/presets/catalog.h"

namespace tokensim {
namespace {

constexpr int kMaxPoints = 100'000;
constexpr int kMaxBins = 10'000;
constexpr int32_t kDefaultMax = 1'000'000;  // of distributions without an end

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

void ResolveLogNormal(const Checker& check, v1::LogNormalLength* lognormal) {
  if (!lognormal->has_min()) lognormal->set_min(1);
  if (!lognormal->has_max()) lognormal->set_max(std::max(kDefaultMax, lognormal->min()));
  if (check.Required("median", lognormal->has_median(), "the median length")) {
    check.Positive("median", lognormal->median(), kMaxLength);
  }
  if (check.Required("sigma", lognormal->has_sigma(), "standard deviation of the logarithm")) {
    check.NotNegative("sigma", lognormal->sigma(), 100);
  }
  if (check.Range("min", lognormal->min(), 1, kMaxLength)) {
    check.Range("max", lognormal->max(), lognormal->min(), kMaxLength);
  }
}

void ResolvePoisson(const Checker& check, v1::PoissonLength* poisson) {
  if (!poisson->has_min()) poisson->set_min(1);
  if (!poisson->has_max()) poisson->set_max(std::max(kDefaultMax, poisson->min()));
  if (check.Required("mean", poisson->has_mean(), "the mean length")) {
    check.Positive("mean", poisson->mean(), kMaxLength);
  }
  if (check.Range("min", poisson->min(), 1, kMaxLength)) {
    check.Range("max", poisson->max(), poisson->min(), kMaxLength);
  }
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
      return ResolveLogNormal(Checker(findings, check.Path("lognormal")), d->mutable_lognormal());
    case v1::LengthDistribution::kPoisson:
      return ResolvePoisson(Checker(findings, check.Path("poisson")), d->mutable_poisson());
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

int64_t Shortest(const v1::Lengths& lengths, const v1::TraceRows& rows) {
  if (lengths.has_trace()) return Shortest(rows);
  if (lengths.has_independent()) {
    return Shortest(lengths.independent().input()) + Shortest(lengths.independent().output());
  }
  int64_t output = kMaxLength;
  for (const auto& bin : lengths.joint().bins()) output = std::min(output, Shortest(bin.output()));
  return Shortest(lengths.joint().input()) + output;
}

}  // namespace

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

int64_t ShortestRequest(const v1::Workload& workload) {
  const v1::TraceRows& rows = workload.trace().rows();
  int64_t shortest = int64_t{2} * kMaxLength;
  bool shared = workload.classes().empty();  // some requests have the workload's lengths
  for (const v1::ClientClass& client : workload.classes()) {
    if (client.has_lengths()) shortest = std::min(shortest, Shortest(client.lengths(), rows));
    shared = shared || !client.has_lengths();
  }
  if (shared) shortest = std::min(shortest, Shortest(workload.lengths(), rows));
  return shortest + workload.prefix_groups().tokens();
}

}  // namespace tokensim
