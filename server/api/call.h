// What serving a call means, through whatever door it comes.
//
// A door unpacks the request and packs the answer; between the two, on an executor and never on a
// thread that moves bytes, the method runs:
//
//   ServeCall(method, request, &response,
//             [=] { return CheckThatSomebodyWaits(); },
//             [=](const absl::Status& status) { Send(status, response); });
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/api/call_guard.h"
#include "server/api/stream_registry.h"
#include "server/base/error.h"
#include "server/base/executor.h"

namespace tokensim {

// What every call needs. All outlive the calls.
struct CallEnvironment {
  Executor& executor;
  const Clock& clock;
  size_t max_answer_bytes;  // a larger answer is refused, with a reason
};

struct MethodName {
  std::string service;  // tokensim.v1.SimulationService
  std::string method;   // GetSimulation
};

struct MethodInfo {
  MethodName name;
  CallEnvironment environment;
  MethodMetrics metrics;
};

// One request, one answer.
template <typename RequestType, typename ResponseType>
struct UnaryMethod : MethodInfo {
  using Request = RequestType;
  using Response = ResponseType;

  std::function<absl::Status(const Request&, Response*)> handler;  // may compute or block
};

// One request, a stream of answers.
template <typename RequestType, typename ResponseType>
struct StreamMethod : MethodInfo {
  using Request = RequestType;
  using Response = ResponseType;
  using Sink = StreamSink<Response>;

  StreamRegistry& registry;
  // Makes the stream that writes to the sink; starts nothing, neither computes nor blocks.
  std::function<absl::StatusOr<std::shared_ptr<OpenStream>>(const Request&, std::shared_ptr<Sink>)>
      handler;
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

// Runs a method on its executor. `ready` is called there first: an error of it, as that nobody waits
// any more, is the answer. `finish` is called once with the answer, from any thread. The method, the
// request and the response stay until then.
template <typename Request, typename Response, typename Ready, typename Finish>
void ServeCall(const UnaryMethod<Request, Response>& method, const Request* request,
               Response* response, Ready ready, Finish finish) {
  auto guard = std::make_shared<CallGuard>(method.metrics, method.environment.clock);
  const auto end = [guard, finish = std::move(finish)](const absl::Status& status) {
    if (status.ok()) guard->OnMessageSent();
    guard->Finish(status.code());
    finish(status);
  };
  const bool posted = method.environment.executor.TryPost(
      [&method, request, response, end, ready = std::move(ready)] {
        const auto handler = [&](const Request& in, Response* out) {
          const absl::Status status = ready();
          return status.ok() ? method.handler(in, out) : status;
        };
        end(Answer(handler, method.environment.max_answer_bytes, *request, response));
      });
  if (!posted) {
    end(Overloaded("too many calls are waiting", {{"limit", "calls"}, {"scope", "server"}}));
  }
}

// A stream and its place among those of the server.
struct PlacedStream {
  std::unique_ptr<StreamRegistry::Place> place;
  std::shared_ptr<OpenStream> stream;  // not started
};

template <typename Request, typename Response>
absl::StatusOr<PlacedStream> OpenPlaced(const StreamMethod<Request, Response>& method,
                                        const Request& request,
                                        std::shared_ptr<StreamSink<Response>> sink) {
  auto stream = method.handler(request, std::move(sink));
  if (!stream.ok()) return stream.status();
  auto place = method.registry.Enter();
  if (!place.ok()) return place.status();
  method.registry.Attach(**place, *stream);
  return PlacedStream{*std::move(place), *std::move(stream)};
}

// The answers of calls that nobody waits for.
[[nodiscard]] inline absl::Status DeadlinePassed() {
  return MakeError(absl::StatusCode::kDeadlineExceeded, reason::kDeadlineExceeded,
                   "the deadline passed before the call was served");
}
[[nodiscard]] inline absl::Status CallCancelled() {
  return MakeError(absl::StatusCode::kCancelled, reason::kCancelled, "cancelled");
}

}  // namespace tokensim
