// A real tokensimd for a test, and a proxy that cuts its connections.
//
//   ServerProcess server;
//   CuttingProxy proxy(server.grpc_port(), 200'000);
//   Client client({.server = proxy.address()});
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tokensim {

// Starts tokensimd of $TOKENSIM_BIN_DIR on free ports; ends it when destroyed.
class ServerProcess {
 public:
  ServerProcess();
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  [[nodiscard]] int grpc_port() const { return grpc_port_; }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(grpc_port_); }
  [[nodiscard]] int64_t resident_bytes() const;
  // SIGKILL, as a crash.
  void Kill();

 private:
  void WaitForPort(const std::string& port_file);

  pid_t pid_ = -1;
  int grpc_port_ = 0;
};

// Forwards TCP connections to a local port, and closes each one after `bytes` of answers.
class CuttingProxy {
 public:
  CuttingProxy(int target_port, int64_t bytes);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int cuts() const { return cuts_; }

 private:
  void Accept();
  void Forward(int client);

  const int target_port_;
  const int64_t bytes_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> cuts_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread acceptor_;
  std::mutex mutex_;
  std::vector<std::thread> forwarders_;  // guarded by mutex_
};

}  // namespace tokensim
