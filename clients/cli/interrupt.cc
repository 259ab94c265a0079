#include "clients/cli/interrupt.h"

#include <pthread.h>
#include <signal.h>
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

Interrupt::Interrupt(std::function<void()> on_interrupt) : on_interrupt_(std::move(on_interrupt)) {
  const sigset_t set = Sigint();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::thread([this] { Wait(); });
}

Interrupt::~Interrupt() {
  stopping_ = true;
  pthread_kill(thread_.native_handle(), SIGINT);  // wakes Wait()
  thread_.join();
  const sigset_t set = Sigint();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void Interrupt::Wait() {
  const sigset_t set = Sigint();
  for (int signal = 0; sigwait(&set, &signal) == 0 && !stopping_;) {
    if (requested_.exchange(true)) _exit(static_cast<int>(ExitCode::kInterrupted));
    if (on_interrupt_) on_interrupt_();
  }
}

}  // namespace tokensim::cli
