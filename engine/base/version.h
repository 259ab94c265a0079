// The engine's version: changes whenever results may change. Part of the identity of a stream.
#pragma once

namespace tokensim {

inline constexpr const char kEngineVersion[] = "2";
inline constexpr const char kReleaseVersion[] = "0.1.0";

}  // namespace tokensim
