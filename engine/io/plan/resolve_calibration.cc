// What a host adds to the times of the operators: presets, files, ranges.
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/files.h"
#include "engine/io/plan/resolve.h"
#include "engine/io/presets/catalog.h"
#include "engine/io/yaml/yaml.h"

namespace tokensim {
namespace {

constexpr double kMinFactor = 0.5;
constexpr double kMaxFactor = 2;
constexpr double kMaxSeconds = 1000;
constexpr int kMaxCaptureSizes = 1'000;
constexpr int kMaxPoints = 1'000;

// Fields of `own` over those of `base`, less those that it unsets. Lists are replaced, not joined.
v1::Calibration Over(v1::Calibration base, const v1::Calibration& own) {
  for (const std::string& name : own.unset()) {
    const auto* field = v1::Calibration::descriptor()->FindFieldByName(name);
    if (field != nullptr) base.GetReflection()->ClearField(&base, field);
  }
  if (own.capture_sizes_size() > 0) base.clear_capture_sizes();
  if (own.has_all_reduce()) base.clear_all_reduce();
  base.MergeFrom(own);
  return base;
}

void ExpandPreset(const Checker& check, v1::Calibration* calibration) {
  if (calibration->preset().empty()) return;
  const v1::Calibration* preset = FindCalibrationPreset(calibration->preset());
  if (preset == nullptr) {
    check.NotFound("preset", "calibration preset", calibration->preset(), CalibrationPresetNames());
    return;
  }
  *calibration = Over(*preset, *calibration);
  calibration->clear_preset();
}

bool ReadFile(const TracePolicy& policy, const Checker& check, v1::Calibration* calibration) {
  if (calibration->path().empty()) return true;
  const auto path = LocateFile(policy, calibration->path(), "calibration");
  if (!path.ok()) {
    check.Error("path", std::string(path.status().message()));
    return false;
  }
  std::ostringstream text;
  text << std::ifstream(*path).rdbuf();
  v1::Calibration read;
  const auto errors = ParseYaml(text.str(), calibration->path(), &read);
  if (!errors.empty()) {
    if (policy.confine_to_base_dir) {
      check.Error("path", "is not a calibration");
    } else {
      for (const YamlError& error : errors) check.Error("path", error.ToString());
    }
    return false;
  }
  read.clear_path();
  *calibration = Over(std::move(read), *calibration);
  calibration->clear_path();
  return true;
}

bool Factor(const Checker& check, std::string_view field, double value) {
  if (value >= kMinFactor && value <= kMaxFactor) return true;
  check.Error(field, absl::StrCat("is ", value, "; it must be ", kMinFactor, " .. ", kMaxFactor));
  return false;
}

void CheckAllReduce(const Checker& check, const v1::AllReduce& all_reduce) {
  const int points = all_reduce.message_bytes_size();
  if (points == 0 && all_reduce.seconds_size() == 0) {
    if (check.Required("bandwidth_bytes_per_second", all_reduce.has_bandwidth_bytes_per_second(),
                       "or the points message_bytes and seconds")) {
      check.Positive("bandwidth_bytes_per_second", all_reduce.bandwidth_bytes_per_second(), 1e21);
      check.NotNegative("latency_seconds", all_reduce.latency_seconds(), kMaxSeconds);
    }
    return;
  }
  if (points != all_reduce.seconds_size()) {
    check.Error("seconds", absl::StrCat("has ", all_reduce.seconds_size(),
                                        " entries, message_bytes ", points));
    return;
  }
  check.Range("message_bytes", points, 1, kMaxPoints);
  for (int i = 0; i < points; ++i) {
    const double before = i == 0 ? 0 : all_reduce.message_bytes(i - 1);
    if (!(all_reduce.message_bytes(i) > before && all_reduce.message_bytes(i) < 1e18)) {
      check.Error(absl::StrCat("message_bytes[", i, "]"),
                  absl::StrCat("is ", all_reduce.message_bytes(i), "; it must be above ", before));
      return;
    }
    if (!check.Positive(absl::StrCat("seconds[", i, "]"), all_reduce.seconds(i), kMaxSeconds)) {
      return;
    }
  }
}

void CheckCaptureSizes(const Checker& check, const v1::Calibration& calibration) {
  if (calibration.capture_sizes_size() == 0) return;
  check.Range("capture_sizes", calibration.capture_sizes_size(), 1, kMaxCaptureSizes);
  for (int i = 0; i < calibration.capture_sizes_size(); ++i) {
    const int64_t least = i == 0 ? 1 : int64_t{calibration.capture_sizes(i - 1)} + 1;
    if (!check.Range(absl::StrCat("capture_sizes[", i, "]"), calibration.capture_sizes(i), least,
                     1'000'000)) {
      return;
    }
  }
}

void CheckUnset(const Checker& check, const v1::Calibration& calibration) {
  for (int i = 0; i < calibration.unset_size(); ++i) {
    const std::string& name = calibration.unset(i);
    if (v1::Calibration::descriptor()->FindFieldByName(name) == nullptr) {
      check.Error(absl::StrCat("unset[", i, "]"),
                  absl::StrCat("is '", name, "', which is no field of a calibration"));
    }
  }
}

void CheckFigures(const Checker& check, const v1::Calibration& c) {
  check.Length("source", c.source(), 4'000);
  const auto seconds = [&](std::string_view field, double value) {
    check.NotNegative(field, value, kMaxSeconds);
  };
  seconds("iteration_seconds", c.iteration_seconds());
  seconds("sequence_seconds", c.sequence_seconds());
  seconds("layer_seconds", c.layer_seconds());
  seconds("warm_up_seconds", c.warm_up_seconds());
  seconds("request_seconds", c.request_seconds());
  seconds("response_seconds", c.response_seconds());
  seconds("attention_launch_seconds", c.attention_launch_seconds());
  seconds("all_reduce_seconds", c.all_reduce_seconds());
  if (c.has_dense_factor()) Factor(check, "dense_factor", c.dense_factor());
  if (c.has_prefill_dense_factor()) {
    Factor(check, "prefill_dense_factor", c.prefill_dense_factor());
  }
  if (c.has_attention_factor()) Factor(check, "attention_factor", c.attention_factor());
  if (c.has_compute_factor() && !(c.compute_factor() >= 1 && c.compute_factor() <= kMaxFactor)) {
    check.Error("compute_factor",
                absl::StrCat("is ", c.compute_factor(), "; it must be 1 .. ", kMaxFactor));
  }
  if (c.has_all_reduce()) {
    CheckAllReduce(Checker(check.findings(), check.Path("all_reduce")), c.all_reduce());
  }
  CheckCaptureSizes(check, c);
}

}  // namespace

void ResolveCalibration(const TracePolicy& policy, const Checker& check,
                        v1::Calibration* calibration) {
  // Without them too, the figures given beside them are checked.
  CheckUnset(check, *calibration);
  if (ReadFile(policy, check, calibration)) ExpandPreset(check, calibration);
  calibration->clear_unset();
  CheckFigures(check, *calibration);
}

CalibrationConfig ToCalibration(const v1::WorkerGroup& group) {
  const v1::Calibration& c = group.calibration();
  const v1::Hardware& hardware = group.hardware();
  CalibrationConfig config;
  config.iteration_seconds =
      c.has_iteration_seconds() ? c.iteration_seconds() : hardware.iteration_overhead_seconds();
  config.sequence_seconds =
      c.has_sequence_seconds() ? c.sequence_seconds() : hardware.sequence_overhead_seconds();
  config.overlaps_host = c.overlaps_host();
  if (c.has_dense_factor()) config.dense_factor = c.dense_factor();
  if (c.has_prefill_dense_factor()) config.prefill_dense_factor = c.prefill_dense_factor();
  if (c.has_attention_factor()) config.attention_factor = c.attention_factor();
  config.attention_launch_seconds = c.attention_launch_seconds();
  if (c.has_compute_factor()) config.compute_factor = c.compute_factor();
  config.layer_seconds = c.layer_seconds();
  config.all_reduce_seconds = c.all_reduce_seconds();
  const v1::AllReduce& all_reduce = c.all_reduce();
  if (all_reduce.message_bytes_size() > 0) {
    config.all_reduce = {{all_reduce.message_bytes().begin(), all_reduce.message_bytes().end()},
                         {all_reduce.seconds().begin(), all_reduce.seconds().end()}};
  } else if (all_reduce.has_bandwidth_bytes_per_second()) {
    const double latency = all_reduce.latency_seconds();
    config.all_reduce = {{0, 1e9},
                         {latency, latency + 1e9 / all_reduce.bandwidth_bytes_per_second()}};
  }
  config.capture_sizes.assign(c.capture_sizes().begin(), c.capture_sizes().end());
  return config;
}

}  // namespace tokensim
