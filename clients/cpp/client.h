// A client of tokensimd: the three services as plain calls.
//
//   Client client({.server = "127.0.0.1:50051"});
//   Result<v1::Simulation> created = client.CreateSimulation(request);
//   auto events = client.StreamEvents({.name = created.value().name()});
//   for (v1::EventBatch batch; events->Next(&batch);) Use(batch);
//   if (events->error()) ...
//
// Unary calls have a deadline (ClientOptions::call_timeout). What is worth a retry (retry.h) is
// retried up to `max_wait`; creating is safe to retry, because a request_id is always sent. Streams
// have no deadline and resume silently after a lost connection. A channel is opened on the first
// call. Free of gRPC types.
//
// Thread-safety: any thread may call any method of Client; a stream is for one thread at a time.
// The client must outlive its streams.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "clients/cpp/error.h"
#include "tokensim/v1/catalog.pb.h"
#include "tokensim/v1/server_service.pb.h"
#include "tokensim/v1/simulation_service.pb.h"

namespace tokensim::client {

struct ClientOptions {
  std::string server = "127.0.0.1:50051";
  std::chrono::milliseconds call_timeout{10'000};
  // Longest time between the first failure of a call and its last retry. 0: no retries.
  std::chrono::milliseconds max_wait{5'000};
  // Told before each wait for a retry. May be null.
  std::function<void(const Error&)> on_retry = nullptr;
};

class Connection;

// The states of a simulation, up to a terminal one.
class SimulationWatch {
 public:
  virtual ~SimulationWatch() = default;
  // False at the end: after a terminal state, or with error() set.
  [[nodiscard]] virtual bool Next(v1::Simulation* simulation) = 0;
  [[nodiscard]] virtual const std::optional<Error>& error() const = 0;
};

// The events of a simulation, each exactly once and in order, whatever happens to the connection.
class EventStream {
 public:
  virtual ~EventStream() = default;
  // False at the end: after the last event asked for, or with error() set. `batch` is replaced;
  // using the same one again saves allocations.
  [[nodiscard]] virtual bool Next(v1::EventBatch* batch) = 0;
  [[nodiscard]] virtual const std::optional<Error>& error() const = 0;
  // A later stream goes on where this one is, when it starts after this sequence number.
  [[nodiscard]] virtual int64_t covered_through() const = 0;
};

class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Fills in `request_id` when empty. A request that is larger than the server accepts is not sent:
  // RESOURCE_EXHAUSTED MESSAGE_TOO_LARGE with both sizes.
  Result<v1::Simulation> CreateSimulation(v1::CreateSimulationRequest request);
  Result<v1::Simulation> GetSimulation(const v1::GetSimulationRequest& request);
  Result<v1::ListSimulationsResponse> ListSimulations(const v1::ListSimulationsRequest& request);
  Result<v1::Simulation> CancelSimulation(const v1::CancelSimulationRequest& request);
  // Nothing on success.
  std::optional<Error> DeleteSimulation(const v1::DeleteSimulationRequest& request);
  Result<v1::Estimate> EstimateSimulation(const v1::EstimateSimulationRequest& request);
  // In as many calls as the size of the report needs.
  Result<v1::Report> GetReport(const v1::GetReportRequest& request);
  Result<v1::Catalog> GetCatalog();
  Result<v1::ServerInfo> GetServerInfo();

  std::unique_ptr<SimulationWatch> WatchSimulation(const std::string& name);
  std::unique_ptr<EventStream> StreamEvents(const v1::StreamEventsRequest& request);

  // Ends every call, stream and wait in progress with CANCELLED, and all later ones.
  void Interrupt();

 private:
  // The error of a request of so many bytes that the server would refuse; asks the server only when
  // they are many.
  std::optional<Error> CheckSize(size_t bytes);

  std::unique_ptr<Connection> connection_;
};

// A random UUID (version 4), for request_id.
[[nodiscard]] std::string NewUuid();

}  // namespace tokensim::client
