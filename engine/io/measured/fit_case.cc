#include "engine/io/measured/fit_case.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/io/plan/prepare.h"

namespace tokensim::accuracy {

namespace {

const google::protobuf::FieldDescriptor* FieldOf(const FitConstant& constant) {
  return v1::Calibration::descriptor()->FindFieldByName(std::string(constant.name));
}

}  // namespace

double GetConstant(const FitConstant& constant, const v1::Spec& spec) {
  const v1::Calibration& calibration =
      constant.front_end ? spec.calibration() : spec.workers(0).calibration();
  const auto* field = FieldOf(constant);
  const auto* reflection = calibration.GetReflection();
  if (reflection->HasField(calibration, field)) return reflection->GetDouble(calibration, field);
  const v1::Hardware& hardware = spec.workers(0).hardware();
  if (constant.name == "iteration_seconds") return hardware.iteration_overhead_seconds();
  if (constant.name == "sequence_seconds") return hardware.sequence_overhead_seconds();
  return constant.neutral;
}

void SetConstant(const FitConstant& constant, double value, v1::Calibration* calibration) {
  calibration->GetReflection()->SetDouble(calibration, FieldOf(constant), value);
}

void SetConstant(const FitConstant& constant, double value, v1::Spec* spec) {
  if (constant.front_end) return SetConstant(constant, value, spec->mutable_calibration());
  for (v1::WorkerGroup& group : *spec->mutable_workers()) {
    SetConstant(constant, value, group.mutable_calibration());
  }
}

FitCase MakeFitCase(std::string name, v1::Spec resolved, Truth truth,
                    std::span<const FitConstant* const> constants) {
  FitCase fit_case{.name = name, .truth = std::move(truth), .start = {}, .plan = nullptr};
  for (const FitConstant* constant : constants) {
    fit_case.start.push_back(GetConstant(*constant, resolved));
  }
  const std::vector<const FitConstant*> set(constants.begin(), constants.end());
  fit_case.plan =
      [name = std::move(name), resolved = std::move(resolved),
       set](std::span<const double> values) -> absl::StatusOr<std::shared_ptr<const Plan>> {
    v1::Spec spec = resolved;
    for (size_t i = 0; i < set.size(); ++i) SetConstant(*set[i], values[i], &spec);
    PreparedSpec prepared = PrepareSpec(spec, TracePolicy::NoPaths());
    if (prepared.ok()) return std::move(prepared.plan);
    const v1::Finding& first = prepared.findings[0];
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": ", first.field(), ": ", first.message()));
  };
  return fit_case;
}

}  // namespace tokensim::accuracy
