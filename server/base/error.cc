#include "server/base/error.h"

#include <algorithm>
#include <new>
#include <stdexcept>
#include <utility>

#include "absl/strings/cord.h"
#include "google/rpc/error_details.pb.h"

namespace tokensim {
namespace {

constexpr char kTypePrefix[] = "type.googleapis.com/";
constexpr size_t kMaxMessage = 1024;
constexpr size_t kMaxValue = 256;
constexpr size_t kMaxViolation = 512;

// At most `max` bytes, cut between UTF-8 characters.
std::string Truncate(std::string_view text, size_t max) {
  if (text.size() <= max) return std::string(text);
  size_t end = max - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "...";
}

template <typename Detail>
bool GetDetail(const absl::Status& status, Detail* detail) {
  const auto payload = status.GetPayload(kTypePrefix + Detail::descriptor()->full_name());
  return payload.has_value() && detail->ParseFromString(std::string(*payload));
}

void PutDetails(std::vector<std::pair<std::string, std::string>> payloads,
                google::rpc::Status* out) {
  out->clear_details();
  for (auto& [url, bytes] : payloads) {
    google::protobuf::Any* any = out->add_details();
    any->set_type_url(url);
    any->set_value(bytes);
  }
}

// Keeps the violations that fit in `bytes` and counts the others.
google::rpc::BadRequest Cap(const google::rpc::BadRequest& all, size_t bytes) {
  google::rpc::BadRequest kept;
  constexpr size_t kRoomForCount = 64;
  for (const auto& violation : all.field_violations()) {
    *kept.add_field_violations() = violation;
    if (kept.ByteSizeLong() + kRoomForCount > bytes) {
      kept.mutable_field_violations()->RemoveLast();
      break;
    }
  }
  const int left = all.field_violations_size() - kept.field_violations_size();
  if (left > 0) {
    kept.add_field_violations()->set_description("and " + std::to_string(left) + " more");
  }
  return kept;
}

}  // namespace

absl::Status MakeError(absl::StatusCode code, std::string_view reason, std::string_view message,
                       const ErrorMetadata& metadata) {
  absl::Status status(code, Truncate(message, kMaxMessage));
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain("tokensim.dev");
  for (const auto& [key, value] : metadata) {
    (*info.mutable_metadata())[key] = Truncate(value, kMaxValue);
  }
  AddDetail(info, &status);
  return status;
}

absl::Status InvalidFields(std::string_view reason, const std::vector<FieldViolation>& violations,
                           const ErrorMetadata& metadata) {
  std::string message = violations[0].field + ": " + violations[0].description;
  if (violations.size() > 1) {
    message = Truncate(message, kMaxMessage / 2) + " (and " +
              std::to_string(violations.size() - 1) + " more)";
  }
  absl::Status status = MakeError(absl::StatusCode::kInvalidArgument, reason, message, metadata);
  google::rpc::BadRequest bad;
  for (const FieldViolation& violation : violations) {
    auto* out = bad.add_field_violations();
    out->set_field(Truncate(violation.field, kMaxValue));
    out->set_description(Truncate(violation.description, kMaxViolation));
  }
  AddDetail(bad, &status);
  return status;
}

absl::Status InvalidField(std::string_view field, std::string_view description) {
  return InvalidFields(reason::kRequestInvalid, {{std::string(field), std::string(description)}});
}

absl::Status Overloaded(std::string_view message, const ErrorMetadata& metadata) {
  absl::Status status =
      MakeError(absl::StatusCode::kResourceExhausted, reason::kServerOverloaded, message, metadata);
  AddRetryInfo(std::chrono::seconds(1), &status);
  return status;
}

absl::Status Draining() {
  absl::Status status = MakeError(absl::StatusCode::kUnavailable, reason::kServerDraining,
                                  "the server is shutting down");
  AddRetryInfo(std::chrono::seconds(1), &status);
  return status;
}

absl::Status MessageTooLarge(size_t bytes, size_t limit, std::string_view hint) {
  return MakeError(absl::StatusCode::kResourceExhausted, reason::kMessageTooLarge,
                   "the answer has " + std::to_string(bytes) + " bytes, a message may have " +
                       std::to_string(limit) + ": " + std::string(hint),
                   {{"bytes", std::to_string(bytes)}, {"limit", std::to_string(limit)}});
}

absl::Status CaughtError() {
  const auto out_of_memory = [] {
    return MakeError(absl::StatusCode::kResourceExhausted, reason::kOutOfMemory,
                     "the server has not enough memory for this");
  };
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::length_error&) {  // a container that no memory could hold
    return out_of_memory();
  } catch (const std::exception& error) {
    return MakeError(absl::StatusCode::kInternal, reason::kInternal, error.what());
  }
}

void AddDetail(const google::protobuf::Message& detail, absl::Status* status) {
  status->SetPayload(kTypePrefix + detail.GetDescriptor()->full_name(),
                     absl::Cord(detail.SerializeAsString()));
}

void AddRetryInfo(std::chrono::milliseconds delay, absl::Status* status) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(delay.count() / 1000);
  retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(delay.count() % 1000) * 1'000'000);
  AddDetail(retry, status);
}

google::rpc::Status ToRpcStatus(const absl::Status& status) {
  google::rpc::Status out;
  if (status.ok()) return out;
  if (google::rpc::ErrorInfo info; !GetDetail(status, &info)) {
    return ToRpcStatus(
        MakeError(status.code(), reason::kInternal,
                  std::string_view(status.message().data(), status.message().size())));
  }
  out.set_code(static_cast<int>(status.code()));
  out.set_message(std::string(status.message()));
  std::vector<std::pair<std::string, std::string>> payloads;
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& bytes) {
    payloads.emplace_back(std::string(url), std::string(bytes));
  });
  std::sort(payloads.begin(), payloads.end());  // abseil's order is random
  PutDetails(payloads, &out);
  const size_t size = out.ByteSizeLong();
  if (google::rpc::BadRequest bad; size > kMaxErrorBytes && GetDetail(status, &bad)) {
    const std::string url = kTypePrefix + google::rpc::BadRequest::descriptor()->full_name();
    for (auto& [key, bytes] : payloads) {
      if (key != url) continue;
      constexpr size_t kLengthPrefixes = 16;
      const size_t others = size - bytes.size() + kLengthPrefixes;
      bytes = Cap(bad, kMaxErrorBytes - std::min(others, kMaxErrorBytes)).SerializeAsString();
    }
    PutDetails(payloads, &out);
  }
  return out;
}

std::string ErrorReason(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  return GetDetail(status, &info) ? info.reason() : "";
}

}  // namespace tokensim
