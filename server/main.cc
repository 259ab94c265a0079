// tokensimd: the TokenSim server.
#include <pthread.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "engine/base/version.h"
#include "server/rpc/server.h"
#include "server/store/open_store.h"

namespace tokensim {
namespace {

constexpr char kDescription[] =
    "tokensimd runs simulations of LLM serving and answers the TokenSim API, by gRPC and HTTP.\n"
    "It needs no flags. Try:\n"
    "  tokensimd &\n"
    "  tokensim run configs/examples/llama2-7b-a100-sharegpt.yaml\n"
    "SIGTERM or SIGINT shuts it down in order; a second one skips the waits.";

struct Flags {
  ServerOptions server;
  double drain_delay_seconds = 0;
  double shutdown_timeout_seconds = 10;
  double stream_stall_timeout_seconds = 300;
  double http_request_timeout_seconds = 20;
  std::string web_dir;
  std::string log_level = "info";
  std::string port_file;
};

int DefaultThreads() {
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()) - 1);
}

// Where an installation and a build have the dashboard; empty when neither does.
std::filesystem::path FindWebDir() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {};
  const std::filesystem::path folder = program.parent_path();
  for (const char* place : {"../share/tokensim/web", "../../../clients/web/dist"}) {
    const std::filesystem::path candidate = (folder / place).lexically_normal();
    if (std::filesystem::exists(candidate / "index.html", error)) return candidate;
  }
  return {};
}

std::chrono::milliseconds Milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

// Each flag is also read from the environment: --max-queued from TOKENSIMD_MAX_QUEUED.
template <typename T>
CLI::Option* Add(CLI::App& app, const std::string& flag, T& value, const std::string& help) {
  std::string env = "TOKENSIMD_" + flag;
  std::transform(env.begin(), env.end(), env.begin(), [](char c) {
    return c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  });
  CLI::Option* option = nullptr;
  if constexpr (std::is_same_v<T, bool>) {
    option = app.add_flag("--" + flag, value, help);
  } else {
    option = app.add_option("--" + flag, value, help)->capture_default_str();
  }
  return option->envname(env);
}

void AddFlags(CLI::App& app, Flags& flags) {
  ServerOptions& server = flags.server;
  Add(app, "listen", server.listen, "gRPC address, host:port; port 0: any");
  Add(app, "http", server.http,
      "HTTP address of the API (Connect protocol) and the dashboard; 'off' or '': none");
  Add(app, "web-dir", flags.web_dir, "files of the dashboard; default: beside the program");
  Add(app, "http-allow-origin", server.site.allowed_origins,
      "origin whose pages may call the API, as https://lab.example; repeatable");
  Add(app, "http-allow-host", server.site.allowed_hosts,
      "host that requests may name besides localhost, as behind a proxy; repeatable");
  Add(app, "http-max-connections", server.http_limits.max_connections, "HTTP connections at once")
      ->check(CLI::PositiveNumber);
  Add(app, "http-request-timeout", flags.http_request_timeout_seconds,
      "seconds for an HTTP request to come whole")
      ->check(CLI::Range(0.1, 3600.0));
  Add(app, "admin", server.admin, "address of /metrics, /livez, /readyz, /version; '': none");
  Add(app, "insecure-bind", server.insecure_bind,
      "allow addresses that other machines can reach (there is no authentication)");
  Add(app, "threads", server.threads, "threads that run simulations")->check(CLI::Range(1, 1024));
  Add(app, "max-running", server.max_running, "simulations that take turns on these threads")
      ->check(CLI::PositiveNumber);
  Add(app, "stream-threads", server.stream_threads, "threads that replay event streams")
      ->check(CLI::Range(1, 1024));
  Add(app, "max-queued", server.max_queued, "simulations that may wait")
      ->check(CLI::PositiveNumber);
  Add(app, "store", server.store,
      "where simulations are kept: sqlite:PATH, which survives this process, or memory");
  Add(app, "max-stored-bytes", server.max_stored_bytes,
      "bytes of specs and reports kept, as 4GB; the oldest ended simulations are dropped")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::PositiveNumber);
  Add(app, "max-stored", server.max_stored, "simulations kept; the oldest ended ones are dropped")
      ->check(CLI::PositiveNumber);
  Add(app, "max-event-streams", server.max_event_streams, "event streams open at once")
      ->check(CLI::PositiveNumber);
  Add(app, "max-requests", server.max_requests, "requests of one simulation")
      ->check(CLI::PositiveNumber);
  Add(app, "max-workers", server.max_workers, "workers of one simulation")
      ->check(CLI::PositiveNumber);
  Add(app, "data-dir", server.data_dir, "specs may name trace files below this directory")
      ->check(CLI::ExistingDirectory);
  Add(app, "drain-delay", flags.drain_delay_seconds,
      "seconds between /readyz turning 503 and the shutdown")
      ->check(CLI::Range(0.0, 3600.0));
  Add(app, "shutdown-timeout", flags.shutdown_timeout_seconds,
      "seconds that open streams get to end")
      ->check(CLI::Range(0.0, 3600.0));
  Add(app, "stream-stall-timeout", flags.stream_stall_timeout_seconds,
      "seconds after which a stream that is not read is ended")
      ->check(CLI::Range(0.1, 86400.0));
  Add(app, "log-level", flags.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  Add(app, "port-file", flags.port_file, "write the bound ports there, as JSON, once ready");
}

void LogConfig(const Flags& flags) {
  const ServerOptions& server = flags.server;
  spdlog::info("tokensimd {} (engine {})", kReleaseVersion, kEngineVersion);
  spdlog::info(
      "config: listen={} http={} web_dir={} admin={} insecure_bind={} store={} threads={} "
      "stream_threads={} "
      "max_running={} max_queued={} max_stored={} max_stored_bytes={} max_event_streams={} "
      "max_requests={} max_workers={} "
      "data_dir={} drain_delay={}s shutdown_timeout={}s stream_stall_timeout={}s",
      server.listen, server.http.empty() ? "none" : server.http,
      server.site.web_dir.empty() ? "none" : server.site.web_dir.string(),
      server.admin.empty() ? "none" : server.admin, server.insecure_bind, server.store,
      server.threads, server.stream_threads, server.max_running, server.max_queued,
      server.max_stored, server.max_stored_bytes, server.max_event_streams, server.max_requests,
      server.max_workers, server.data_dir.empty() ? "none" : server.data_dir,
      flags.drain_delay_seconds, flags.shutdown_timeout_seconds,
      flags.stream_stall_timeout_seconds);
}

// Complete or absent: a reader never sees half of it.
bool WritePortFile(const std::string& path, const Server& server) {
  const std::string temporary = path + ".tmp";
  {
    std::ofstream out(temporary);
    out << "{\"grpc_port\":" << server.grpc_port() << ",\"http_port\":" << server.http_port()
        << ",\"admin_port\":" << server.admin_port() << "}\n";
    if (!out.flush()) return false;
  }
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  return !error;
}

int Run(const Flags& flags) {
  // Blocked in every thread: only sigwait below takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  LogConfig(flags);
  absl::StatusOr<std::unique_ptr<Server>> started = Server::Start(flags.server);
  if (!started.ok()) {
    spdlog::error("{}", std::string(started.status().message()));
    return 1;
  }
  Server& server = **started;
  if (!flags.server.http.empty() && server.http_port() == 0) {
    spdlog::warn("no HTTP port: {} is in use; --http chooses another", flags.server.http);
  }
  if (!flags.port_file.empty() && !WritePortFile(flags.port_file, server)) {
    spdlog::error("cannot write {}", flags.port_file);
    return 1;
  }
  spdlog::info("ready: grpc port {}, http port {}, admin port {}", server.grpc_port(),
               server.http_port(), server.admin_port());

  int signal_number = 0;
  sigwait(&signals, &signal_number);
  spdlog::info("{}: shutting down", strsignal(signal_number));
  std::atomic<bool> done = false;
  std::thread second([&] {
    int again = 0;
    sigwait(&signals, &again);
    if (done) return;
    spdlog::info("{} again: not waiting", strsignal(again));
    server.Hurry();
  });
  server.Shutdown();
  done = true;
  pthread_kill(second.native_handle(), SIGTERM);
  second.join();
  spdlog::info("stopped");
  return 0;
}

}  // namespace
}  // namespace tokensim

int main(int argc, char** argv) {
  tokensim::Flags flags;
  flags.server.threads = flags.server.stream_threads = tokensim::DefaultThreads();
  flags.server.store = tokensim::DefaultStore();
  CLI::App app(tokensim::kDescription, "tokensimd");
  app.set_version_flag("--version", tokensim::kReleaseVersion);
  tokensim::AddFlags(app, flags);
  CLI11_PARSE(app, argc, argv);
  flags.server.drain_delay = tokensim::Milliseconds(flags.drain_delay_seconds);
  flags.server.shutdown_timeout = tokensim::Milliseconds(flags.shutdown_timeout_seconds);
  flags.server.http_limits.request_timeout =
      tokensim::Milliseconds(flags.http_request_timeout_seconds);
  // A default must not keep the server from starting; what was asked for must be there.
  flags.server.http_if_free = app.get_option("--http")->empty();
  if (flags.server.http == "off") flags.server.http.clear();
  flags.server.site.web_dir =
      flags.web_dir.empty() ? tokensim::FindWebDir() : std::filesystem::path(flags.web_dir);
  flags.server.stream_stall_timeout = tokensim::Milliseconds(flags.stream_stall_timeout_seconds);
  spdlog::set_default_logger(spdlog::stderr_logger_mt("tokensimd"));
  spdlog::set_level(spdlog::level::from_str(flags.log_level));
  return tokensim::Run(flags);
}
