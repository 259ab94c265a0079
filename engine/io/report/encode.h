// The engine's plain results as protobuf messages.
#pragma once

#include "engine/report/report.h"
#include "engine/run/results.h"
#include "tokensim/v1/report.pb.h"

namespace tokensim {

[[nodiscard]] v1::EndReason ToProto(EndReason reason);
[[nodiscard]] v1::RejectReason ToProto(RejectReason reason);
void ToProto(const RequestRecord& record, v1::RequestRecord* out);
[[nodiscard]] RequestRecord FromProto(const v1::RequestRecord& record);
// Everything but `execution`, which depends on the machine.
[[nodiscard]] v1::Report ToProto(const Report& report);

}  // namespace tokensim
