// One channel to a server, its stubs, and the loop that retries a call. Internal to clients/cpp.
//
// Thread-safety: any thread may use it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "clients/cpp/client.h"
#include "clients/cpp/retry.h"
#include "tokensim/v1/catalog_service.grpc.pb.h"
#include "tokensim/v1/server_service.grpc.pb.h"
#include "tokensim/v1/simulation_service.grpc.pb.h"

namespace tokensim::client {

// Decodes the google.rpc details of a failed call.
[[nodiscard]] Error ToError(const grpc::Status& status);

class Connection {
 public:
  explicit Connection(ClientOptions options);

  [[nodiscard]] v1::SimulationService::Stub& simulations() { return *simulations_; }
  [[nodiscard]] v1::CatalogService::Stub& catalog() { return *catalog_; }
  [[nodiscard]] v1::ServerService::Stub& server() { return *server_; }

  // Calls `method` of `stub` until it succeeds or its error is final.
  template <typename Stub, typename Request, typename Response>
  Result<Response> Call(Stub& stub,
                        grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                     Response*),
                        const Request& request);

  [[nodiscard]] Backoff NewBackoff() const;
  // Waits until `error` is worth another attempt. The error to end with, when it is not.
  [[nodiscard]] std::optional<Error> WaitToRetry(Backoff& backoff, const Error& error);

  // A context that Interrupt() cancels while it is registered.
  class Context {
   public:
    explicit Context(Connection& connection);
    ~Context();
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    [[nodiscard]] grpc::ClientContext* get() { return &context_; }

   private:
    Connection& connection_;
    grpc::ClientContext context_;
  };

  void Interrupt();

 private:
  const ClientOptions options_;
  std::unique_ptr<v1::SimulationService::Stub> simulations_;
  std::unique_ptr<v1::CatalogService::Stub> catalog_;
  std::unique_ptr<v1::ServerService::Stub> server_;

  std::mutex mutex_;
  std::condition_variable interrupted_changed_;
  bool interrupted_ = false;                 // guarded by mutex_
  std::set<grpc::ClientContext*> contexts_;  // guarded by mutex_
};

template <typename Stub, typename Request, typename Response>
Result<Response> Connection::Call(Stub& stub,
                                  grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                               Response*),
                                  const Request& request) {
  Backoff backoff = NewBackoff();
  for (;;) {
    Context context(*this);
    context.get()->set_deadline(std::chrono::system_clock::now() + options_.call_timeout);
    Response response;
    const grpc::Status status = (stub.*method)(context.get(), request, &response);
    if (status.ok()) return response;
    if (std::optional<Error> final_error = WaitToRetry(backoff, ToError(status))) {
      return *std::move(final_error);
    }
  }
}

}  // namespace tokensim::client
