// Errors of the API: an absl::Status whose payloads are google.rpc error details.
//
// Every error has an ErrorInfo (domain "tokensim.dev") whose reason is a row of docs/errors.md.
//
//   absl::Status error = MakeError(absl::StatusCode::kNotFound, reason::kSimulationNotFound,
//                                  "no simulation x", {{"name", "x"}});
//   google::rpc::Status wire = ToRpcStatus(error);
//
// Thread-safety: functions without state. Free of gRPC.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "google/rpc/status.pb.h"

namespace tokensim {

namespace reason {
inline constexpr const char kSpecInvalid[] = "SPEC_INVALID";
inline constexpr const char kModelDoesNotFit[] = "MODEL_DOES_NOT_FIT";
inline constexpr const char kCatalogEntryNotFound[] = "CATALOG_ENTRY_NOT_FOUND";
inline constexpr const char kRequestInvalid[] = "REQUEST_INVALID";
inline constexpr const char kSimulationNotFound[] = "SIMULATION_NOT_FOUND";
inline constexpr const char kSimulationExists[] = "SIMULATION_EXISTS";
inline constexpr const char kRequestIdReused[] = "REQUEST_ID_REUSED";
inline constexpr const char kServerOverloaded[] = "SERVER_OVERLOADED";
inline constexpr const char kServerDraining[] = "SERVER_DRAINING";
inline constexpr const char kStorageFull[] = "STORAGE_FULL";
inline constexpr const char kStoreUnavailable[] = "STORE_UNAVAILABLE";
inline constexpr const char kAttemptsExhausted[] = "ATTEMPTS_EXHAUSTED";
inline constexpr const char kOutOfMemory[] = "OUT_OF_MEMORY";
inline constexpr const char kMessageTooLarge[] = "MESSAGE_TOO_LARGE";
inline constexpr const char kSimulationActive[] = "SIMULATION_ACTIVE";
inline constexpr const char kEtagMismatch[] = "ETAG_MISMATCH";
inline constexpr const char kReportNotReady[] = "REPORT_NOT_READY";
inline constexpr const char kStreamNotAvailable[] = "STREAM_NOT_AVAILABLE";
inline constexpr const char kCursorOutOfRange[] = "CURSOR_OUT_OF_RANGE";
inline constexpr const char kStreamStalled[] = "STREAM_STALLED";
inline constexpr const char kEngineVersionChanged[] = "ENGINE_VERSION_CHANGED";
inline constexpr const char kEngineInvariant[] = "ENGINE_INVARIANT";
inline constexpr const char kDeadlineExceeded[] = "DEADLINE_EXCEEDED";
inline constexpr const char kCancelled[] = "CANCELLED";
inline constexpr const char kInternal[] = "INTERNAL_ERROR";
}  // namespace reason

// Serialized errors stay below this: gRPC loses the details of larger ones.
inline constexpr size_t kMaxErrorBytes = 4096;

using ErrorMetadata = std::map<std::string, std::string>;

[[nodiscard]] absl::Status MakeError(absl::StatusCode code, std::string_view reason,
                                     std::string_view message, const ErrorMetadata& metadata = {});

struct FieldViolation {
  std::string field;  // path in the request
  std::string description;
};

// INVALID_ARGUMENT with one BadRequest violation for each element; not empty.
[[nodiscard]] absl::Status InvalidFields(std::string_view reason,
                                         const std::vector<FieldViolation>& violations,
                                         const ErrorMetadata& metadata = {});
// REQUEST_INVALID about one field.
[[nodiscard]] absl::Status InvalidField(std::string_view field, std::string_view description);

// Errors that say when to try again.
[[nodiscard]] absl::Status Overloaded(std::string_view message, const ErrorMetadata& metadata);
[[nodiscard]] absl::Status Draining();

// An answer of `bytes` that is larger than a message may be; `hint` says how to get it anyway.
[[nodiscard]] absl::Status MessageTooLarge(size_t bytes, size_t limit, std::string_view hint);

// In a catch block: what was thrown as an error. Memory that is not there is RESOURCE_EXHAUSTED
// OUT_OF_MEMORY, anything else INTERNAL.
[[nodiscard]] absl::Status CaughtError();

// Attaches one more google.rpc detail; at most one of each type.
void AddDetail(const google::protobuf::Message& detail, absl::Status* status);
void AddRetryInfo(std::chrono::milliseconds delay, absl::Status* status);

// The wire form, at most kMaxErrorBytes: long lists of violations end in "and K more".
[[nodiscard]] google::rpc::Status ToRpcStatus(const absl::Status& status);
// The reason of an error made here; empty for others.
[[nodiscard]] std::string ErrorReason(const absl::Status& status);

}  // namespace tokensim
