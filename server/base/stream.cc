#include "server/base/stream.h"

#include "server/base/error.h"

namespace tokensim {

absl::Status StreamStalled() {
  return MakeError(absl::StatusCode::kUnavailable, reason::kStreamStalled,
                   "nothing was read for too long; resume after the last message");
}

absl::Status ConnectionLost() {
  return MakeError(absl::StatusCode::kCancelled, reason::kCancelled, "the connection was lost");
}

}  // namespace tokensim
