// Our errors as gRPC sends them: code, message and, as details, the serialized google.rpc.Status.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace tokensim {

[[nodiscard]] grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace tokensim
