// Bounds that several features share. Internal to engine/io.
#pragma once

#include <cstdint>

namespace tokensim {

inline constexpr int32_t kMaxLength = 1'000'000'000;  // tokens; input + output fit an int32
inline constexpr int64_t kMaxRequests = 1'000'000'000;
inline constexpr double kMaxLinkRate = 1e21;       // bytes per second, FLOP per second
inline constexpr double kMaxDelaySeconds = 1'000;  // of one message, launch or iteration

}  // namespace tokensim
