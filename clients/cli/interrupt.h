// Ctrl-C as an event instead of a death.
//
//   Interrupt interrupt([&client] { client.Interrupt(); });
//   ... if (interrupt.requested()) return ExitCode::kInterrupted;
//
// While one exists, SIGINT calls `on_interrupt` in a thread of its own; a second SIGINT ends the
// process with 130. Make it before any other thread, so that all threads leave the signal to it.
// One at a time.
#pragma once

#include <signal.h>

#include <atomic>
#include <functional>
#include <thread>

namespace tokensim::cli {

// Keeps SIGINT from this thread and those it starts.
class BlockedSigint {
 public:
  BlockedSigint();
  ~BlockedSigint();
  BlockedSigint(const BlockedSigint&) = delete;
  BlockedSigint& operator=(const BlockedSigint&) = delete;

 private:
  sigset_t before_;
};

class Interrupt {
 public:
  explicit Interrupt(std::function<void()> on_interrupt = nullptr);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] bool requested() const { return requested_; }

 private:
  void Wait();

  const BlockedSigint blocked_;
  const std::function<void()> on_interrupt_;
  std::atomic<bool> requested_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace tokensim::cli
