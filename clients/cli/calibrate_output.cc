#include "clients/cli/calibrate_output.h"

#include <cstdio>
#include <ostream>
#include <sstream>

#include "clients/cli/text_table.h"
#include "clients/cli/units.h"
#include "engine/io/measured/fit_case.h"
#include "engine/io/yaml/yaml.h"

namespace tokensim::cli {

namespace {

using accuracy::Comparison;
using accuracy::FitCase;
using accuracy::FitConstant;
using accuracy::FitErrors;
using accuracy::MetricComparison;

std::string ValueText(const FitConstant& constant, double value) {
  return constant.unit.empty() ? FormatExact(value) : FormatSeconds(value);
}

std::string RangeText(const FitConstant& constant) {
  return ValueText(constant, constant.min) + " .. " + ValueText(constant, constant.max);
}

std::string SignedPercent(double share) {
  char text[32];
  std::snprintf(text, sizeof(text), "%+.1f %%", share * 100);
  return text;
}

// "-3.5 % -8.1 % -3.8 % -1.8 %": the errors of a metric's figures.
std::string ErrorsText(const MetricComparison& metric) {
  std::string text;
  for (const accuracy::Figure& figure : metric.figures) {
    if (figure.statistic == "output_tokens_per_second") continue;
    text += (text.empty() ? "" : " ") + SignedPercent(figure.error());
  }
  return text;
}

std::string StatisticsText(const MetricComparison& metric) {
  std::string text = metric.metric;
  for (const accuracy::Figure& figure : metric.figures) {
    if (figure.statistic == "output_tokens_per_second") continue;
    text += (&figure == &metric.figures[0] ? " " : "/") + figure.statistic;
  }
  return text;
}

void AddErrorRows(const FitCase& each, const FitErrors& before, const FitErrors& after,
                  TextTable* table) {
  table->AddRow({each.name + ", RMS", FormatPercent(before.rms), FormatPercent(after.rms)});
  for (size_t c = 0; c < before.comparisons.size(); ++c) {
    const Comparison& comparison = before.comparisons[c];
    if (comparison.overloaded) continue;
    for (size_t m = 0; m < comparison.metrics.size(); ++m) {
      const MetricComparison& metric = comparison.metrics[m];
      if (metric.metric.ends_with("_queued")) continue;
      const std::string stage = comparison.saturation ? comparison.name + " " : "";
      table->AddRow({"  " + stage + StatisticsText(metric), ErrorsText(metric),
                     ErrorsText(after.comparisons[c].metrics[m])});
    }
  }
}

void WriteErrorTable(const CalibrateResult& result, std::ostream& out) {
  TextTable table({Align::kLeft, Align::kRight, Align::kRight});
  table.AddRow({"Errors", "before", "after"});
  for (size_t i = 0; i < result.cases.size(); ++i) {
    AddErrorRows(result.cases[i], result.fit.before[i], result.fit.after[i], &table);
  }
  table.Print(out);
}

// The calibration the first case has, front end included.
v1::Calibration BaseCalibration(const v1::Spec& first) {
  v1::Calibration base = first.workers(0).calibration();
  base.MergeFrom(first.calibration());
  return base;
}

}  // namespace

void WriteFitTable(const CalibrateResult& result, std::ostream& out) {
  TextTable table({Align::kLeft, Align::kRight, Align::kRight, Align::kRight, Align::kLeft});
  table.AddRow({"Constant", "before", "after", "range", ""});
  for (size_t i = 0; i < result.constants.size(); ++i) {
    const FitConstant& constant = *result.constants[i];
    const double value = result.fit.values[i];
    const bool at_bound =
        (value <= constant.min && constant.min != constant.neutral) || value >= constant.max;
    table.AddRow({std::string(constant.name), ValueText(constant, result.fit.start[i]),
                  ValueText(constant, value), RangeText(constant),
                  std::string(constant.meaning) + (at_bound ? "; AT ITS BOUND" : "")});
  }
  table.Print(out);
  out << '\n';
  WriteErrorTable(result, out);
  out << "\nRoot mean square error " << FormatPercent(result.fit.rms_before) << " before, "
      << FormatPercent(result.fit.rms_after) << " after; " << result.fit.evaluations
      << " evaluations in " << FormatSeconds(result.wall_seconds) << '\n';
}

std::string CalibrationYaml(const CalibrateResult& result) {
  v1::Calibration calibration = BaseCalibration(result.first);
  for (size_t i = 0; i < result.constants.size(); ++i) {
    SetConstant(*result.constants[i], result.fit.values[i], &calibration);
  }
  std::string source = "tokensim calibrate, fitted to ";
  for (const FitCase& each : result.cases) {
    source += (&each == &result.cases[0] ? "" : ", ") + each.name;
  }
  calibration.set_source(source);

  std::ostringstream errors;
  WriteErrorTable(result, errors);
  std::string yaml = "# Constants of a host: calibration: {path: THIS_FILE} in a spec.\n#\n";
  std::istringstream lines(errors.str());
  for (std::string line; std::getline(lines, line);) yaml += "# " + line + '\n';
  return yaml + ToYaml(calibration);
}

}  // namespace tokensim::cli
