#include "clients/cpp/connection.h"

#include <random>
#include <utility>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace tokensim::client {

namespace {

// Agree with the server's (server/rpc): it tolerates a ping every 20 s.
constexpr int kKeepaliveMs = 45'000;
constexpr int kKeepaliveTimeoutMs = 20'000;
// Reports of many workers carry long timelines; event batches are far smaller.
constexpr int kMaxReceiveBytes = 64 * 1024 * 1024;
// What a stream may have in flight: a few batches, so a reader that pauses costs at most this much.
// gRPC's bandwidth estimation would let it collect many MiB, and gives no more on loopback: 6.6 M
// events/s with this window, 5 to 8 M with the estimation.
constexpr int kStreamWindowBytes = 1024 * 1024;

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& server) {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  args.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamWindowBytes);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  args.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // The time an attempt to connect may take. Not short: between calls nobody drives the attempt.
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  args.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  return grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), args);
}

void AddDetail(const google::protobuf::Any& detail, Error* error) {
  if (google::rpc::ErrorInfo info; detail.UnpackTo(&info)) {
    error->reason = info.reason();
    error->metadata = {info.metadata().begin(), info.metadata().end()};
  } else if (google::rpc::BadRequest bad; detail.UnpackTo(&bad)) {
    for (const auto& violation : bad.field_violations()) {
      error->violations.push_back({violation.field(), violation.description()});
    }
  } else if (google::rpc::RetryInfo retry; detail.UnpackTo(&retry)) {
    error->retry_after = std::chrono::milliseconds(retry.retry_delay().seconds() * 1000 +
                                                   retry.retry_delay().nanos() / 1'000'000);
  }
}

Error Interrupted() {
  Error error;
  error.code = absl::StatusCode::kCancelled;
  error.message = "interrupted";
  return error;
}

}  // namespace

Error ToError(const grpc::Status& status) {
  Error error;
  error.code = static_cast<absl::StatusCode>(status.error_code());
  error.message = status.error_message();
  google::rpc::Status details;
  if (details.ParseFromString(status.error_details())) {
    for (const google::protobuf::Any& detail : details.details()) AddDetail(detail, &error);
  }
  return error;
}

Connection::Connection(ClientOptions options) : options_(std::move(options)) {
  const std::shared_ptr<grpc::Channel> channel = OpenChannel(options_.server);
  simulations_ = v1::SimulationService::NewStub(channel);
  catalog_ = v1::CatalogService::NewStub(channel);
  server_ = v1::ServerService::NewStub(channel);
}

Backoff Connection::NewBackoff() const {
  std::random_device device;
  return Backoff(options_.max_wait, device());
}

std::optional<Error> Connection::WaitToRetry(Backoff& backoff, const Error& error) {
  const std::optional<std::chrono::milliseconds> delay =
      backoff.NextDelay(error, Backoff::Clock::now());
  if (delay && options_.on_retry) options_.on_retry(error);
  std::unique_lock lock(mutex_);
  if (interrupted_) return Interrupted();
  if (!delay) return error;
  if (interrupted_changed_.wait_for(lock, *delay, [this] { return interrupted_; })) {
    return Interrupted();
  }
  return std::nullopt;
}

void Connection::Interrupt() {
  std::lock_guard lock(mutex_);
  interrupted_ = true;
  for (grpc::ClientContext* context : contexts_) context->TryCancel();
  interrupted_changed_.notify_all();
}

Connection::Context::Context(Connection& connection) : connection_(connection) {
  std::lock_guard lock(connection_.mutex_);
  connection_.contexts_.insert(&context_);
  if (connection_.interrupted_) context_.TryCancel();
}

Connection::Context::~Context() {
  std::lock_guard lock(connection_.mutex_);
  connection_.contexts_.erase(&context_);
}

}  // namespace tokensim::client
