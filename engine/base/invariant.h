// Checks of the engine's own invariants.
//
// A broken invariant is a bug of ours, never the user's input. It throws InvariantError, which
// Simulation::Advance turns into a failed run; nothing outside the engine sees the exception.
//
//   TOKENSIM_INVARIANT(free_blocks >= 0, "negative free blocks");
#pragma once

#include <stdexcept>

namespace tokensim {

class InvariantError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] inline void FailInvariant(const char* message) { throw InvariantError(message); }

}  // namespace tokensim

#define TOKENSIM_INVARIANT(condition, message)                \
  do {                                                        \
    if (!(condition)) [[unlikely]] {                          \
      ::tokensim::FailInvariant(message " (" #condition ")"); \
    }                                                         \
  } while (false)
