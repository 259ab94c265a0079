// What a call to the server ended with, when not with a result.
//
//   Result<v1::Simulation> got = client.GetSimulation(name);
//   if (!got.ok()) cerr << got.error().message;
//
// Free of gRPC types. Plain values.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"

namespace tokensim::client {

struct FieldViolation {
  std::string field;  // path, as spec.workers[2].hardware.memory_bytes
  std::string description;
};

struct Error {
  absl::StatusCode code = absl::StatusCode::kUnknown;
  std::string reason;  // of docs/errors.md, as SPEC_INVALID; empty when the server did not answer
  std::string message;
  std::vector<FieldViolation> violations;
  std::map<std::string, std::string> metadata;
  std::optional<std::chrono::milliseconds> retry_after;  // the wait the server asks for

  // "UNAVAILABLE (SERVER_DRAINING): the server is shutting down"
  [[nodiscard]] std::string ToString() const;
};

// A value or an Error.
template <typename T>
class Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT: implicit, as absl::StatusOr
  Result(Error error) : state_(std::move(error)) {}  // NOLINT

  [[nodiscard]] bool ok() const { return std::holds_alternative<T>(state_); }
  [[nodiscard]] const T& value() const { return std::get<T>(state_); }
  [[nodiscard]] T& value() { return std::get<T>(state_); }
  [[nodiscard]] const Error& error() const { return std::get<Error>(state_); }

 private:
  std::variant<T, Error> state_;
};

}  // namespace tokensim::client
