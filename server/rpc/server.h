// The whole server: store, sessions, gRPC, HTTP and admin ports, put together and taken down in order.
//
//   auto server = Server::Start(options);
//   ...
//   (*server)->Shutdown();
//
// Thread-safe.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "server/admin/admin_server.h"
#include "server/admin/metrics.h"
#include "server/api/api.h"
#include "server/http/http_server.h"
#include "server/http/site.h"
#include "server/rpc/services.h"
#include "server/session/session_manager.h"
#include "server/store/store.h"

namespace tokensim {

// docs/server.md explains each.
struct ServerOptions {
  std::string listen = "127.0.0.1:50051";  // host:port; port 0: any
  std::string admin = "127.0.0.1:9464";    // host:port; empty: no admin port
  std::string http = "127.0.0.1:8080";     // host:port; empty: no HTTP port
  bool http_if_free = false;               // no error when that port is in use: no HTTP port
  bool insecure_bind = false;              // allow addresses other than loopback

  int threads = 1;           // that run simulations
  int64_t max_running = 16;  // simulations that take turns on them
  int stream_threads = 1;
  int64_t max_queued = 1'000;
  std::string store = "memory";  // open_store.h
  int64_t max_stored = StoreLimits().max_records;
  int64_t max_stored_bytes = StoreLimits().max_bytes;
  int64_t max_event_streams = 256;
  int64_t max_watch_streams = 10'000;
  int64_t max_requests = 10'000'000;  // per simulation
  int32_t max_workers = 10'000;       // per simulation
  size_t max_send_bytes = 64 << 20;   // of one message
  std::string data_dir;               // traces below it may be named in specs; empty: none

  http::SiteOptions site;  // local_only is set by the address
  http::HttpServerOptions http_limits;

  std::chrono::milliseconds drain_delay{0};            // from "not ready" to refusing work
  std::chrono::milliseconds shutdown_timeout{10'000};  // for open calls to end
  std::chrono::milliseconds stream_stall_timeout{300'000};
};

class Server {
 public:
  // INVALID_ARGUMENT for bad options, UNAVAILABLE when a port is in use, the store's error when it
  // cannot be opened or what it has left unfinished cannot be taken up.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options);
  ~Server();  // Shutdown
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] int grpc_port() const { return grpc_port_; }
  // 0: none.
  [[nodiscard]] int http_port() const { return http_ == nullptr ? 0 : http_->port(); }
  [[nodiscard]] int admin_port() const { return admin_ == nullptr ? 0 : admin_->port(); }

  // Not ready; drain_delay; no new work; runs stop and are PENDING again; streams end with
  // SERVER_DRAINING; open calls get shutdown_timeout. Idempotent.
  void Shutdown();
  // Makes a Shutdown that is under way skip its waits.
  void Hurry();

 private:
  Server(const ServerOptions& options, std::unique_ptr<Store> store);
  absl::Status StartGrpc();
  absl::Status StartHttp();
  absl::Status StartAdmin();
  void CheckStreams();
  void SetServing(bool serving);
  // True when hurried.
  bool WaitFor(std::chrono::milliseconds delay);
  [[nodiscard]] v1::ServerInfo Info();
  [[nodiscard]] GaugeValues Gauges();

  const ServerOptions options_;
  const SystemClock clock_;
  const WallTime start_time_;
  const SteadyTime started_;
  ServerMetrics metrics_;
  const std::unique_ptr<Store> store_;
  Executor calls_;
  Executor streams_;
  SessionManager sessions_;
  StreamRegistry event_streams_;
  StreamRegistry watch_streams_;
  const Api api_;
  SimulationServiceImpl simulation_service_;
  CatalogServiceImpl catalog_service_;
  ServerServiceImpl server_service_;
  std::unique_ptr<grpc::Server> grpc_;
  int grpc_port_ = 0;
  std::unique_ptr<http::Site> site_;
  std::unique_ptr<http::HttpServer> http_;
  std::unique_ptr<AdminServer> admin_;
  std::atomic<bool> ready_ = false;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool hurried_ = false;        // guarded by mutex_
  bool checks_end_ = false;     // guarded by mutex_
  bool shutting_down_ = false;  // guarded by mutex_
  std::thread stream_checks_;
};

}  // namespace tokensim
