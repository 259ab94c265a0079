// Serves a unary method of the API over gRPC.
//
//   return ServeUnary(api.get_simulation, context, request, response);
#pragma once

#include <grpcpp/grpcpp.h>

#include "server/api/call.h"
#include "server/rpc/to_grpc_status.h"

namespace tokensim {

template <typename Request, typename Response>
grpc::ServerUnaryReactor* ServeUnary(const UnaryMethod<Request, Response>& method,
                                     grpc::CallbackServerContext* context, const Request* request,
                                     Response* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  // Nobody waits for the answer any more: do not compute it.
  const auto ready = [&clock = method.environment.clock, context] {
    if (context->deadline() < clock.Now()) return DeadlinePassed();
    return context->IsCancelled() ? CallCancelled() : absl::OkStatus();
  };
  ServeCall(method, request, response, ready, [reactor](const absl::Status& status) {
    reactor->Finish(ToGrpcStatus(status));  // request, response and context end here
  });
  return reactor;
}

}  // namespace tokensim
