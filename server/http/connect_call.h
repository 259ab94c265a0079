// One call of the Connect protocol: what its request says, checked, and how it is refused.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/http/codec.h"
#include "server/http/exchange.h"

namespace tokensim::http {

struct ConnectCall {
  std::shared_ptr<Exchange> exchange;
  BodyType type;
  std::string_view message;  // in the request's body or in `decoded`
  std::string decoded;
  std::optional<std::chrono::milliseconds> timeout;
  SteadyTime begun = std::chrono::steady_clock::now();

  // Whether anybody still waits: CANCELLED or DEADLINE_EXCEEDED when not.
  [[nodiscard]] absl::Status Wanted() const;
  // Answers with an error, in the form of the kind of call.
  void Refuse(const absl::Status& error) const;
};

// Of a POST whose Content-Type was understood. Sets message and timeout.
[[nodiscard]] absl::Status ReadPost(ConnectCall* call);
// Of a GET: sets type, too.
[[nodiscard]] absl::Status ReadGet(ConnectCall* call);

}  // namespace tokensim::http
