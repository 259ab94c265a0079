// Serves a unary method: the handler runs on an executor, never on a gRPC thread.
//
//   return ServeUnary(env, metrics, context, request, response,
//                     [this](const auto& request, auto* response) { ... return status; });
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "server/base/error.h"
#include "server/base/executor.h"
#include "server/rpc/call_guard.h"
#include "server/rpc/to_grpc_status.h"

namespace tokensim {

// What every call needs. All outlive the calls.
struct CallEnvironment {
  Executor& executor;
  const Clock& clock;
  size_t max_answer_bytes;  // gRPC would refuse a larger answer, without a reason
};

// Runs the handler. What it throws fails this call only.
template <typename Request, typename Response, typename Handler>
absl::Status Answer(const Handler& handler, size_t max_bytes, const Request& request,
                    Response* response) {
  try {
    const absl::Status status = handler(request, response);
    if (!status.ok()) return status;
    const size_t bytes = response->ByteSizeLong();
    if (bytes <= max_bytes) return status;
    return MessageTooLarge(bytes, max_bytes,
                           "ask for less (GetSimulation: another view), or for parts "
                           "(GetReportPage, StreamEvents)");
  } catch (...) {
    return CaughtError();
  }
}

template <typename Request, typename Response, typename Handler>
grpc::ServerUnaryReactor* ServeUnary(const CallEnvironment& env, const MethodMetrics& metrics,
                                     grpc::CallbackServerContext* context, const Request* request,
                                     Response* response, Handler handler) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto guard = std::make_shared<CallGuard>(metrics, env.clock);
  const auto finish = [reactor, guard](const absl::Status& status) {
    if (status.ok()) guard->OnMessageSent();
    guard->Finish(status.code());
    reactor->Finish(ToGrpcStatus(status));  // request, response and context end here
  };
  const bool posted =
      env.executor.TryPost([&clock = env.clock, max_bytes = env.max_answer_bytes, context, request,
                            response, finish, handler = std::move(handler)] {
        // Nobody waits for the answer any more: do not compute it.
        if (context->deadline() < clock.Now()) {
          finish(MakeError(absl::StatusCode::kDeadlineExceeded, reason::kDeadlineExceeded,
                           "the deadline passed before the call was served"));
        } else if (context->IsCancelled()) {
          finish(MakeError(absl::StatusCode::kCancelled, reason::kCancelled, "cancelled"));
        } else {
          finish(Answer(handler, max_bytes, *request, response));
        }
      });
  if (!posted) {
    finish(Overloaded("too many calls are waiting", {{"limit", "calls"}, {"scope", "server"}}));
  }
  return reactor;
}

}  // namespace tokensim
