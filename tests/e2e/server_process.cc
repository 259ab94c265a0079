#include "tests/e2e/server_process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace tokensim {

namespace {

constexpr std::chrono::seconds kStartTimeout{30};

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

// Moves what is there from one socket to the other; the number of bytes, 0 at the end.
int64_t Pump(int from, int to) {
  std::array<char, 16 * 1024> buffer;
  const ssize_t got = recv(from, buffer.data(), buffer.size(), 0);
  if (got <= 0) return 0;
  for (ssize_t sent = 0; sent < got;) {
    const ssize_t n = send(to, buffer.data() + sent, static_cast<size_t>(got - sent), MSG_NOSIGNAL);
    if (n <= 0) return 0;
    sent += n;
  }
  return got;
}

}  // namespace

ServerProcess::ServerProcess() {
  const char* bin_dir = std::getenv("TOKENSIM_BIN_DIR");
  if (bin_dir == nullptr) throw std::runtime_error("TOKENSIM_BIN_DIR is not set");
  const std::string binary = std::string(bin_dir) + "/tokensimd";
  std::string port_file = "/tmp/tokensim-e2e-ports-XXXXXX";
  close(mkstemp(port_file.data()));
  pid_ = fork();
  if (pid_ == 0) {
    execl(binary.c_str(), binary.c_str(), "--listen", "127.0.0.1:0", "--http", "off", "--admin",
          "127.0.0.1:0", "--store", "memory", "--port-file", port_file.c_str(), nullptr);
    _exit(127);
  }
  WaitForPort(port_file);
  unlink(port_file.c_str());
}

void ServerProcess::WaitForPort(const std::string& port_file) {
  const auto deadline = std::chrono::steady_clock::now() + kStartTimeout;
  while (std::chrono::steady_clock::now() < deadline) {
    std::ifstream in(port_file);
    const std::string text(std::istreambuf_iterator<char>(in), {});
    const size_t key = text.find("\"grpc_port\"");
    if (key != std::string::npos && text.find('}') != std::string::npos) {
      grpc_port_ = std::atoi(text.c_str() + text.find(':', key) + 1);
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  throw std::runtime_error("tokensimd did not start");
}

ServerProcess::~ServerProcess() { Kill(); }

void ServerProcess::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

int64_t ServerProcess::resident_bytes() const {
  std::ifstream in("/proc/" + std::to_string(pid_) + "/statm");
  int64_t total = 0;
  int64_t resident = 0;
  in >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

CuttingProxy::CuttingProxy(int target_port, int64_t bytes)
    : target_port_(target_port), bytes_(bytes) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_, 16) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("cannot listen on loopback");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

CuttingProxy::~CuttingProxy() {
  stopping_ = true;
  acceptor_.join();
  for (std::thread& forwarder : forwarders_) forwarder.join();
  close(listener_);
}

void CuttingProxy::Accept() {
  pollfd waiting{listener_, POLLIN, 0};
  while (!stopping_) {
    if (poll(&waiting, 1, 20) <= 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    std::lock_guard lock(mutex_);
    forwarders_.emplace_back([this, client] { Forward(client); });
  }
}

void CuttingProxy::Forward(int client) {
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(target_port_);
  bool open = connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  std::array<pollfd, 2> ends = {pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
  int64_t answered = 0;
  while (open && !stopping_) {
    if (poll(ends.data(), ends.size(), 20) <= 0) continue;
    if (ends[0].revents != 0) open = Pump(client, server) > 0;
    if (open && ends[1].revents != 0) {
      const int64_t moved = Pump(server, client);
      answered += moved;
      open = moved > 0 && answered < bytes_;
    }
  }
  if (answered >= bytes_) ++cuts_;
  close(server);
  close(client);
}

}  // namespace tokensim
