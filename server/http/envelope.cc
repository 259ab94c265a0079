#include "server/http/envelope.h"

#include "server/base/error.h"

namespace tokensim::http {
namespace {

absl::Status Refused(absl::StatusCode code, std::string_view message) {
  return MakeError(code, reason::kRequestInvalid, message);
}

size_t LengthOf(std::string_view body) {
  size_t length = 0;
  for (size_t i = 1; i < kEnvelopeHeadBytes; ++i) {
    length = length << 8 | static_cast<unsigned char>(body[i]);
  }
  return length;
}

}  // namespace

void SealEnvelope(uint8_t flags, std::string* out) {
  const size_t length = out->size() - kEnvelopeHeadBytes;
  (*out)[0] = static_cast<char>(flags);
  for (size_t i = 1; i < kEnvelopeHeadBytes; ++i) {
    (*out)[i] = static_cast<char>(length >> (8 * (kEnvelopeHeadBytes - 1 - i)) & 0xFF);
  }
}

std::string MakeEnvelope(uint8_t flags, std::string_view payload) {
  std::string out(kEnvelopeHeadBytes, '\0');
  out += payload;
  SealEnvelope(flags, &out);
  return out;
}

absl::StatusOr<std::string_view> OpenOnlyEnvelope(std::string_view body) {
  using absl::StatusCode;
  if (body.empty()) return Refused(StatusCode::kUnimplemented, "one request message is expected");
  if (body.size() < kEnvelopeHeadBytes) {
    return Refused(StatusCode::kInvalidArgument, "the envelope of the request is cut");
  }
  const auto flags = static_cast<uint8_t>(body[0]);
  if (flags == kCompressedFlag) {
    return Refused(StatusCode::kInternal,
                   "a compressed message needs Connect-Content-Encoding, and none is supported");
  }
  if (flags != 0) return Refused(StatusCode::kInvalidArgument, "unknown flags in the envelope");
  const size_t length = LengthOf(body);
  body.remove_prefix(kEnvelopeHeadBytes);
  if (length > body.size()) {
    return Refused(StatusCode::kInvalidArgument, "the envelope is longer than the body");
  }
  if (length < body.size()) {
    return Refused(StatusCode::kUnimplemented, "one request message is expected, not several");
  }
  return body;
}

}  // namespace tokensim::http
