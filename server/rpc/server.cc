#include "server/rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

#include <algorithm>
#include <utility>

#include "engine/base/version.h"
#include "server/store/open_store.h"

namespace tokensim {
namespace {

constexpr int kMaxReceiveBytes = 8 << 20;
constexpr size_t kMaxReportPageBytes = 2 << 20;  // below what any client accepts by default
constexpr int kCallThreads = 4;
constexpr const char* kServices[] = {"tokensim.v1.SimulationService", "tokensim.v1.CatalogService",
                                     "tokensim.v1.ServerService"};

SessionOptions ToSessionOptions(const ServerOptions& options) {
  SessionOptions out;
  out.runner.threads = options.threads;
  out.runner.max_running = options.max_running;
  out.runner.max_queued = options.max_queued;
  out.spec_limits.max_requests = options.max_requests;
  out.spec_limits.max_workers = options.max_workers;
  out.report_page_bytes = std::min(kMaxReportPageBytes, options.max_send_bytes / 4);
  if (!options.data_dir.empty()) out.spec_limits.traces = TracePolicy::Below(options.data_dir);
  return out;
}

absl::Status CheckAddress(const std::string& address, bool insecure_bind) {
  const absl::StatusOr<HostPort> parsed = ParseHostPort(address);
  if (!parsed.ok()) return parsed.status();
  if (IsLoopback(*parsed) || insecure_bind) return absl::OkStatus();
  return absl::InvalidArgumentError(
      address + " can be reached from other machines, and the server has no authentication: " +
      "listen on 127.0.0.1, or give --insecure-bind on a network you trust");
}

// Values that our clients agree with; docs/server.md.
void SetChannelArguments(size_t max_send_bytes, grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(kMaxReceiveBytes);
  builder->SetMaxSendMessageSize(static_cast<int>(max_send_bytes));
  // A second server on the port must fail, not share it.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 100);
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 16 * 1024);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 20'000);
}

}  // namespace

Server::Server(const ServerOptions& options, std::unique_ptr<Store> store)
    : options_(options),
      start_time_(clock_.Now()),
      started_(clock_.Steady()),
      store_(std::move(store)),
      calls_("calls", kCallThreads, 1'000),
      streams_("streams", options.stream_threads),
      sessions_(ToSessionOptions(options), *store_, calls_, clock_, metrics_),
      event_streams_(options.max_event_streams, "max_event_streams"),
      watch_streams_(options.max_watch_streams, "max_watch_streams"),
      api_({sessions_,
            {calls_, clock_, options.max_send_bytes},
            streams_,
            event_streams_,
            watch_streams_,
            [this] { return Info(); }},
           metrics_),
      simulation_service_(api_),
      catalog_service_(api_),
      server_service_(api_) {
  metrics_.SetGaugeSource([this] { return Gauges(); });
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  absl::Status bad = CheckAddress(options.listen, options.insecure_bind);
  if (bad.ok() && !options.http.empty()) bad = CheckAddress(options.http, options.insecure_bind);
  if (bad.ok() && !options.admin.empty()) bad = CheckAddress(options.admin, options.insecure_bind);
  if (!bad.ok()) return bad;
  auto store = OpenStore(
      options.store, {.max_records = options.max_stored, .max_bytes = options.max_stored_bytes});
  if (!store.ok()) return store.status();
  std::unique_ptr<Server> server(new Server(options, *std::move(store)));
  if (absl::Status status = server->sessions_.Recover(); !status.ok()) return status;
  if (absl::Status status = server->StartGrpc(); !status.ok()) return status;
  if (absl::Status status = server->StartHttp(); !status.ok()) return status;
  if (absl::Status status = server->StartAdmin(); !status.ok()) return status;
  server->stream_checks_ = std::thread([raw = server.get()] { raw->CheckStreams(); });
  server->SetServing(true);
  return server;
}

absl::Status Server::StartGrpc() {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  SetChannelArguments(options_.max_send_bytes, &builder);
  builder.AddListeningPort(options_.listen, grpc::InsecureServerCredentials(), &grpc_port_);
  builder.RegisterService(&simulation_service_);
  builder.RegisterService(&catalog_service_);
  builder.RegisterService(&server_service_);
  grpc_ = builder.BuildAndStart();
  if (grpc_ == nullptr || grpc_port_ == 0) {
    return absl::UnavailableError("cannot listen on " + options_.listen + ": is the port in use?");
  }
  SetServing(false);
  return absl::OkStatus();
}

absl::Status Server::StartHttp() {
  if (options_.http.empty()) return absl::OkStatus();
  const absl::StatusOr<HostPort> address = ParseHostPort(options_.http);
  if (!address.ok()) return address.status();
  http::SiteOptions site = options_.site;
  site.local_only = IsLoopback(*address);
  site_ = std::make_unique<http::Site>(api_, calls_, std::move(site));
  http::HttpServerOptions limits = options_.http_limits;
  limits.max_body_bytes = kMaxReceiveBytes;
  limits.on_answer = [this](int status) { metrics_.OnHttpAnswer(status); };
  auto started =
      http::HttpServer::Start(address->host, address->port, std::move(limits),
                              [site = site_.get()](auto exchange) { site->Serve(exchange); });
  if (started.ok()) {
    http_ = *std::move(started);
    return absl::OkStatus();
  }
  return options_.http_if_free ? absl::OkStatus() : started.status();
}

absl::Status Server::StartAdmin() {
  if (options_.admin.empty()) return absl::OkStatus();
  AdminHandlers handlers;
  handlers.metrics = [this] { return metrics_.Scrape(); };
  handlers.ready = [this] { return ready_.load(); };
  handlers.version_json = std::string(R"({"version":")") + kReleaseVersion +
                          R"(","engine_version":")" + kEngineVersion + R"("})";
  absl::StatusOr<std::unique_ptr<AdminServer>> admin =
      AdminServer::Start(options_.admin, std::move(handlers));
  if (!admin.ok()) return admin.status();
  admin_ = *std::move(admin);
  return absl::OkStatus();
}

Server::~Server() { Shutdown(); }

void Server::SetServing(bool serving) {
  ready_ = serving;
  grpc::HealthCheckServiceInterface* health = grpc_->GetHealthCheckService();
  health->SetServingStatus(serving);  // of the whole server
  for (const char* service : kServices) health->SetServingStatus(service, serving);
}

void Server::Shutdown() {
  {
    const std::lock_guard lock(mutex_);
    if (shutting_down_) return;
    shutting_down_ = true;
  }
  if (grpc_ != nullptr) {
    SetServing(false);
    WaitFor(options_.drain_delay);  // balancers notice
  }
  sessions_.Stop();
  event_streams_.Close();
  watch_streams_.Close();
  if (grpc_ != nullptr) {
    // Streams end by themselves, those whose readers read; the others are cut.
    const SteadyTime end = clock_.Steady() + options_.shutdown_timeout;
    while (event_streams_.size() + watch_streams_.size() > 0 && clock_.Steady() < end) {
      if (WaitFor(std::chrono::milliseconds(20))) break;
    }
    event_streams_.AbortStalled(SteadyTime::max());
    watch_streams_.AbortStalled(SteadyTime::max());
    grpc_->Shutdown(clock_.Now() + std::chrono::seconds(1));
    if (http_ != nullptr) http_->Drain(std::chrono::seconds(1));
  }
  {
    const std::lock_guard lock(mutex_);
    checks_end_ = true;
  }
  wake_.notify_all();
  if (stream_checks_.joinable()) stream_checks_.join();
  streams_.Stop();
  calls_.Stop();
  http_.reset();  // what the last calls left to send went nowhere
  admin_.reset();
}

void Server::Hurry() {
  {
    const std::lock_guard lock(mutex_);
    hurried_ = true;
  }
  wake_.notify_all();
}

bool Server::WaitFor(std::chrono::milliseconds delay) {
  std::unique_lock lock(mutex_);
  return wake_.wait_for(lock, delay, [this] { return hurried_; });
}

void Server::CheckStreams() {
  const auto period = std::clamp<std::chrono::milliseconds>(
      options_.stream_stall_timeout / 4, std::chrono::milliseconds(10), std::chrono::seconds(5));
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, period, [this] { return checks_end_; })) {
    lock.unlock();
    const SteadyTime before = clock_.Steady() - options_.stream_stall_timeout;
    const int stalled = event_streams_.AbortStalled(before) + watch_streams_.AbortStalled(before);
    for (int i = 0; i < stalled; ++i) metrics_.OnStreamStalled();
    lock.lock();
  }
}

v1::ServerInfo Server::Info() {
  v1::ServerInfo info;
  info.set_version(kReleaseVersion);
  info.set_engine_version(kEngineVersion);
  info.set_api_version("v1");
  *info.mutable_start_time() = ToTimestamp(start_time_);
  const auto uptime = clock_.Steady() - started_;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(uptime);
  info.mutable_uptime()->set_seconds(seconds.count());
  info.mutable_uptime()->set_nanos(static_cast<int32_t>((uptime - seconds).count()));
  v1::Limits* limits = info.mutable_limits();
  limits->set_max_receive_message_bytes(kMaxReceiveBytes);
  limits->set_max_queued_simulations(options_.max_queued);
  limits->set_max_stored_simulations(options_.max_stored);
  limits->set_max_event_streams(options_.max_event_streams);
  limits->set_max_requests_per_simulation(options_.max_requests);
  limits->set_max_workers_per_simulation(options_.max_workers);
  info.mutable_capabilities()->set_durable(IsDurable(options_.store));
  info.mutable_capabilities()->set_data_dir(!options_.data_dir.empty());
  info.set_simulation_threads(options_.threads);
  info.set_active_simulations(sessions_.running());
  info.set_queued_simulations(sessions_.queued());
  info.set_draining(!ready_);
  return info;
}

GaugeValues Server::Gauges() {
  GaugeValues values;
  values.simulations = store_->CountByState().value_or(std::map<SimulationState, int64_t>());
  values.queue_depth = sessions_.queued();
  values.event_streams = event_streams_.size();
  values.watch_streams = watch_streams_.size();
  values.http_connections = http_ == nullptr ? 0 : http_->connections();
  return values;
}

}  // namespace tokensim
