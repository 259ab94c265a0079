#include "engine/io/plan/features/calibration.h"

#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/compute.h"
#include "engine/io/plan/fields.h"
#include "engine/io/plan/files.h"
#include "engine/io/presets/catalog.h"
#include "engine/io/yaml/yaml.h"

namespace tokensim {
namespace {

constexpr double kMaxSeconds = 1000;
// Of compute models that price operators.
constexpr FieldRule kOperators[] = {
    NotNegative("iteration_seconds", kMaxSeconds),  // the hardware's overhead unless given
    NotNegative("sequence_seconds", kMaxSeconds),   // the hardware's overhead unless given
    NotNegative("layer_seconds", kMaxSeconds).Default(0),
    Between("dense_factor", 0.5, 2).Default(1),
    Between("prefill_dense_factor", 0.5, 2).Default(1),
    Between("attention_factor", 0.5, 2).Default(1),
    NotNegative("attention_launch_seconds", kMaxSeconds).Default(0),
    Between("compute_factor", 1, 2).Default(1),
    NotNegative("all_reduce_seconds", kMaxSeconds).Default(0),
    Flag("overlaps_host").Default(0)};
constexpr FieldRule kWorker[] = {NotNegative("warm_up_seconds", kMaxSeconds).Default(0)};
// Of the spec's own calibration: all workers share it.
constexpr FieldRule kFrontEnd[] = {NotNegative("request_seconds", kMaxSeconds).Default(0),
                                   NotNegative("response_seconds", kMaxSeconds).Default(0)};
constexpr FieldRule kAllReduce[] = {Positive("bandwidth_bytes_per_second", 1e21)
                                        .Required("or the points message_bytes and seconds"),
                                    NotNegative("latency_seconds", kMaxSeconds).Default(0)};
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

// By bandwidth and latency, or by points.
void ResolveAllReduce(const Checker& check, v1::AllReduce* given) {
  const v1::AllReduce& all_reduce = *given;
  const int points = all_reduce.message_bytes_size();
  if (points == 0 && all_reduce.seconds_size() == 0) {
    ResolveFields(check, kAllReduce, given);
    return;
  }
  RemoveUnused(check, kAllReduce, "the points message_bytes and seconds say it", given);
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

void Expand(const TracePolicy& policy, const Checker& check, v1::Calibration* calibration) {
  CheckUnset(check, *calibration);
  // Without them too, the figures given beside them are checked.
  if (ReadFile(policy, check, calibration)) ExpandPreset(check, calibration);
  calibration->clear_unset();
  check.Length("source", calibration->source(), 4'000);
}

void ResolveOperators(const Checker& check, v1::Calibration* c) {
  ResolveFields(check, kOperators, c);
  if (c->has_all_reduce()) {
    ResolveAllReduce(Checker(check.findings(), check.Path("all_reduce")), c->mutable_all_reduce());
  }
  CheckCaptureSizes(check, *c);
}

void RemoveOperators(const Checker& check, v1::Calibration* c) {
  constexpr char kWhy[] = "the compute model knows no operators";
  RemoveUnused(check, kOperators, kWhy, c);
  RemoveUnused(check, "all_reduce", kWhy, c);
  RemoveUnused(check, "capture_sizes", kWhy, c);
}

// It belongs to the spec.
void CheckNoFrontEnd(const Checker& check, const v1::Calibration& c) {
  for (const FieldRule& rule : kFrontEnd) {
    const auto* field = v1::Calibration::descriptor()->FindFieldByName(std::string(rule.name));
    if (!v1::Calibration::GetReflection()->HasField(c, field)) continue;
    check.Error(rule.name,
                "is of the front end, which all workers share: give it in the spec's own "
                "calibration");
  }
}

}  // namespace

void ResolveSharedCalibration(const TracePolicy& policy, v1::Spec* spec, Findings* findings) {
  const Checker check(findings, "calibration");
  v1::Calibration* calibration = spec->mutable_calibration();
  Expand(policy, check, calibration);
  ResolveOperators(check, calibration);
  ResolveFields(check, kWorker, calibration);
  ResolveFields(check, kFrontEnd, calibration);
}

void ResolveGroupCalibration(const TracePolicy& policy, const Checker& group_check,
                             const v1::Calibration& shared, v1::WorkerGroup* group) {
  const Checker check(group_check.findings(), group_check.Path("calibration"));
  const bool own = group->has_calibration();
  v1::Calibration* c = group->mutable_calibration();
  if (own) {
    Expand(policy, check, c);
    CheckNoFrontEnd(check, *c);
  } else {
    *c = shared;
    c->clear_request_seconds();
    c->clear_response_seconds();
  }
  if (PricesOperators(group->compute())) {
    const v1::Hardware& hardware = group->hardware();
    if (!c->has_iteration_seconds())
      c->set_iteration_seconds(hardware.iteration_overhead_seconds());
    if (!c->has_sequence_seconds()) c->set_sequence_seconds(hardware.sequence_overhead_seconds());
    if (own) ResolveOperators(check, c);
  } else {
    RemoveOperators(check, c);
  }
  if (own) ResolveFields(check, kWorker, c);
}

void ResolveFrontEnd(v1::Spec* spec) {
  v1::Calibration front;
  front.set_request_seconds(spec->calibration().request_seconds());
  front.set_response_seconds(spec->calibration().response_seconds());
  *spec->mutable_calibration() = std::move(front);
}

CalibrationConfig ToCalibration(const v1::Calibration& c) {
  CalibrationConfig config;
  config.iteration_seconds = c.iteration_seconds();
  config.sequence_seconds = c.sequence_seconds();
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
