// Envelopes of the Connect protocol: a byte of flags, four of length (big-endian), the payload.
//
// Functions without state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tokensim::http {

inline constexpr uint8_t kCompressedFlag = 0x01;
inline constexpr uint8_t kEndStreamFlag = 0x02;
inline constexpr size_t kEnvelopeHeadBytes = 5;

// Writes the head in front of a payload that begins at out[kEnvelopeHeadBytes].
void SealEnvelope(uint8_t flags, std::string* out);
[[nodiscard]] std::string MakeEnvelope(uint8_t flags, std::string_view payload);

// The payload of a body that must be exactly one uncompressed envelope, as a server-streaming call
// has. UNIMPLEMENTED for none or several, INTERNAL for a compressed one, else INVALID_ARGUMENT.
[[nodiscard]] absl::StatusOr<std::string_view> OpenOnlyEnvelope(std::string_view body);

}  // namespace tokensim::http
