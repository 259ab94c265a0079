#include "engine/io/plan/features/lengths.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/limits.h"
#include "engine/io/plan/policy_fields.h"
#include "engine/io/presets/catalog.h"
#include "engine/workload/length_registry.h"

namespace tokensim {
namespace {

constexpr int kMaxPoints = 100'000;
constexpr int kMaxBins = 10'000;
constexpr char kDistribution[] = "distribution";
constexpr char kSource[] = "source";

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

void ResolveDistribution(const std::string& path, bool present, v1::LengthDistribution* d,
                         Findings* findings) {
  const Checker check(findings, path);
  if (d->distribution_case() == v1::LengthDistribution::DISTRIBUTION_NOT_SET) {
    const std::string names = MemberNames(LengthDistributions().infos(), kDistribution, *d);
    check.Missing("", absl::StrCat(present ? "is empty" : "is missing", ": give one of ", names));
    return;
  }
  const int64_t errors = findings->errors();
  const auto* entry = ResolveMember(check, LengthDistributions(), kDistribution, d);
  if (entry != nullptr && findings->errors() == errors) {
    ParameterValues values = ReadMember(*entry, kDistribution, *d);
    if (entry->traits.complete != nullptr) {
      entry->traits.complete(&values);
      WriteDerived(values, kDistribution, d);
    }
    if (const auto problem = entry->check == nullptr ? std::nullopt : entry->check(values)) {
      check.Error(MemberPath(problem->parameter, kDistribution, *d), problem->message);
    }
  }
  if (d->has_quantiles()) CheckTable(Checker(findings, check.Path("quantiles")), d->quantiles());
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
  if (d.has_quantiles()) return Shortest(d.quantiles());
  const auto* entry = LengthDistributions().Find(MemberPolicy(kDistribution, d));
  if (entry == nullptr || entry->traits.shortest == nullptr) return 1;
  return entry->traits.shortest(ReadMember(*entry, kDistribution, d));
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
  return {ConfigureMember(LengthDistributions(), "distribution", d), ToTable(d.quantiles())};
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
  if (lengths->source_case() == v1::Lengths::SOURCE_NOT_SET) {
    check.Missing("",
                  absl::StrCat("is missing: give a preset (`tokensim catalog lengths`) or one of ",
                               MemberNames(LengthSources().infos(), kSource, *lengths),
                               "; trace needs workload.trace"));
    return;
  }
  if (ResolveMember(check, LengthSources(), kSource, lengths) == nullptr) return;
  if (lengths->has_independent()) {
    v1::IndependentLengths* independent = lengths->mutable_independent();
    const bool input = independent->has_input();
    const bool output = independent->has_output();
    ResolveDistribution(check.Path("independent.input"), input, independent->mutable_input(),
                        findings);
    ResolveDistribution(check.Path("independent.output"), output, independent->mutable_output(),
                        findings);
  }
  if (lengths->has_joint()) {
    ResolveJoint(Checker(findings, check.Path("joint")), lengths->mutable_joint());
  }
}

int64_t ShortestOf(const v1::Lengths& lengths, const v1::TraceRows& rows) {
  if (lengths.has_trace()) return Shortest(rows);
  if (lengths.has_independent()) {
    return Shortest(lengths.independent().input()) + Shortest(lengths.independent().output());
  }
  if (!lengths.has_joint()) return 2;
  int64_t output = kMaxLength;
  for (const auto& bin : lengths.joint().bins()) output = std::min(output, Shortest(bin.output()));
  return Shortest(lengths.joint().input()) + output;
}

// Absent where every class has lengths of its own: then never used.
Lengths ToLengths(const v1::Lengths& lengths) {
  Lengths compiled;
  if (lengths.source_case() == v1::Lengths::SOURCE_NOT_SET) return compiled;
  compiled.source = ConfigureMember(LengthSources(), "source", lengths);
  if (lengths.has_independent()) {
    compiled.input = ToDistribution(lengths.independent().input());
    compiled.output = ToDistribution(lengths.independent().output());
  }
  if (lengths.has_joint()) {
    compiled.input.table = ToTable(lengths.joint().input());
    for (const v1::OutputGivenInput& bin : lengths.joint().bins()) {
      compiled.outputs.push_back({bin.max_input(), ToTable(bin.output())});
    }
  }
  return compiled;
}

}  // namespace tokensim
