#include "clients/cpp/client.h"

#include <array>
#include <random>
#include <utility>

#include "clients/cpp/connection.h"
#include "clients/cpp/event_stream.h"
#include "clients/cpp/simulation_watch.h"

namespace tokensim::client {

using Simulations = v1::SimulationService::Stub;

Client::Client(ClientOptions options)
    : connection_(std::make_unique<Connection>(std::move(options))) {}

Client::~Client() = default;

Result<v1::Simulation> Client::CreateSimulation(v1::CreateSimulationRequest request) {
  if (request.request_id().empty()) request.set_request_id(NewUuid());
  if (std::optional<Error> error = CheckSize(request.ByteSizeLong())) return *std::move(error);
  return connection_->Call(connection_->simulations(), &Simulations::CreateSimulation, request);
}

Result<v1::Simulation> Client::GetSimulation(const v1::GetSimulationRequest& request) {
  return connection_->Call(connection_->simulations(), &Simulations::GetSimulation, request);
}

Result<v1::ListSimulationsResponse> Client::ListSimulations(
    const v1::ListSimulationsRequest& request) {
  return connection_->Call(connection_->simulations(), &Simulations::ListSimulations, request);
}

Result<v1::Simulation> Client::CancelSimulation(const v1::CancelSimulationRequest& request) {
  return connection_->Call(connection_->simulations(), &Simulations::CancelSimulation, request);
}

std::optional<Error> Client::DeleteSimulation(const v1::DeleteSimulationRequest& request) {
  const Result<google::protobuf::Empty> deleted =
      connection_->Call(connection_->simulations(), &Simulations::DeleteSimulation, request);
  return deleted.ok() ? std::nullopt : std::optional<Error>(deleted.error());
}

Result<v1::Estimate> Client::EstimateSimulation(const v1::EstimateSimulationRequest& request) {
  if (std::optional<Error> error = CheckSize(request.ByteSizeLong())) return *std::move(error);
  return connection_->Call(connection_->simulations(), &Simulations::EstimateSimulation, request);
}

Result<v1::Report> Client::GetReport(const v1::GetReportRequest& request) {
  v1::Report report;
  v1::GetReportPageRequest next;
  next.set_name(request.name());
  do {
    Result<v1::ReportPage> page =
        connection_->Call(connection_->simulations(), &Simulations::GetReportPage, next);
    if (!page.ok()) return page.error();
    report.MergeFrom(page.value().part());
    next.set_page_token(page.value().next_page_token());
  } while (!next.page_token().empty());
  return report;
}

Result<v1::Catalog> Client::GetCatalog() {
  return connection_->Call(connection_->catalog(), &v1::CatalogService::Stub::GetCatalog,
                           v1::GetCatalogRequest());
}

Result<v1::ServerInfo> Client::GetServerInfo() {
  return connection_->Call(connection_->server(), &v1::ServerService::Stub::GetServerInfo,
                           v1::GetServerInfoRequest());
}

std::unique_ptr<SimulationWatch> Client::WatchSimulation(const std::string& name) {
  return std::make_unique<ResumingWatch>(*connection_, name);
}

std::unique_ptr<EventStream> Client::StreamEvents(const v1::StreamEventsRequest& request) {
  return std::make_unique<ResumingEventStream>(*connection_, request);
}

std::optional<Error> Client::CheckSize(size_t bytes) {
  constexpr size_t kAcceptedByAll = size_t{1} << 20;  // far below any server's limit
  if (bytes <= kAcceptedByAll) return std::nullopt;
  const Result<v1::ServerInfo> info = GetServerInfo();
  if (!info.ok()) return info.error();
  const int64_t limit = info.value().limits().max_receive_message_bytes();
  if (limit <= 0 || bytes <= static_cast<size_t>(limit)) return std::nullopt;
  Error error;
  error.code = absl::StatusCode::kResourceExhausted;
  error.reason = "MESSAGE_TOO_LARGE";
  error.message = "the request has " + std::to_string(bytes) + " bytes; the server accepts " +
                  std::to_string(limit);
  error.metadata = {{"bytes", std::to_string(bytes)}, {"limit", std::to_string(limit)}};
  return error;
}

void Client::Interrupt() { connection_->Interrupt(); }

std::string NewUuid() {
  std::random_device device;
  std::array<uint8_t, 16> bytes;
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(device() & 0xff);
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x40);  // version 4
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);  // RFC 4122 variant
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += kHex[bytes[i] >> 4];
    out += kHex[bytes[i] & 0xf];
  }
  return out;
}

}  // namespace tokensim::client
