#include "engine/io/plan/features/slo.h"

#include <algorithm>
#include <optional>

#include "engine/io/plan/fields.h"

namespace tokensim {
namespace {

constexpr FieldRule kFields[] = {Positive("ttft_seconds", kMaxSimulatedSeconds),
                                 Positive("tpot_seconds", kMaxSimulatedSeconds),
                                 Positive("max_itl_seconds", kMaxSimulatedSeconds),
                                 Positive("e2e_seconds", kMaxSimulatedSeconds)};

std::optional<SimTime> Objective(bool present, double seconds) {
  if (!present) return std::nullopt;
  return std::max<SimTime>(1, FromSeconds(seconds));
}

}  // namespace

void ResolveSlo(const Checker& check, v1::Slo* slo) { ResolveFields(check, kFields, slo); }

SloPlan CompileSlo(const v1::Slo& slo) {
  return {Objective(slo.has_ttft_seconds(), slo.ttft_seconds()),
          Objective(slo.has_tpot_seconds(), slo.tpot_seconds()),
          Objective(slo.has_max_itl_seconds(), slo.max_itl_seconds()),
          Objective(slo.has_e2e_seconds(), slo.e2e_seconds())};
}

}  // namespace tokensim
