#include "clients/cli/interrupt.h"

#include <pthread.h>
#include <unistd.h>

#include <utility>

#include "clients/cli/exit_code.h"

namespace tokensim::cli {

namespace {

sigset_t Sigint() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

BlockedSigint::BlockedSigint() {
  const sigset_t set = Sigint();
  pthread_sigmask(SIG_BLOCK, &set, &before_);
}

BlockedSigint::~BlockedSigint() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

Interrupt::Interrupt(std::function<void()> on_interrupt) : on_interrupt_(std::move(on_interrupt)) {
  thread_ = std::thread([this] { Wait(); });
}

Interrupt::~Interrupt() {
  stopping_ = true;
  pthread_kill(thread_.native_handle(), SIGINT);  // wakes Wait()
  thread_.join();
}

void Interrupt::Wait() {
  const sigset_t set = Sigint();
  for (int signal = 0; sigwait(&set, &signal) == 0 && !stopping_;) {
    if (requested_.exchange(true)) _exit(static_cast<int>(ExitCode::kInterrupted));
    if (on_interrupt_) on_interrupt_();
  }
}

}  // namespace tokensim::cli
