// The engine's plain results as protobuf messages.
#pragma once

#include "engine/report/report.h"
#include "engine/run/plan.h"
#include "engine/run/results.h"
#include "tokensim/v1/report.pb.h"
#include "tokensim/v1/simulation.pb.h"

namespace tokensim {

[[nodiscard]] v1::EndReason ToProto(EndReason reason);
[[nodiscard]] v1::RejectReason ToProto(RejectReason reason);
void ToProto(const RequestRecord& record, v1::RequestRecord* out);
[[nodiscard]] RequestRecord FromProto(const v1::RequestRecord& record);
// Everything but `execution`, which depends on the machine.
[[nodiscard]] v1::Report ToProto(const Report& report);
// The fraction is that of the limit which is nearest: all requests, or a limit of the plan.
[[nodiscard]] v1::Progress ToProto(const Progress& progress, const Plan& plan);
// What the machine did in `wall_seconds`; requests are those that ended, finished or rejected.
void SetExecution(const Report& report, double wall_seconds, v1::Execution* out);

}  // namespace tokensim
