// Identity of a resolved spec: "sha256:" and 64 hex digits.
//
// Hash of a canonical encoding of our own (digest.cc), because protobuf bytes are not canonical
// across versions. Names of the spec, descriptions and sources of figures do not count. Internal to
// engine/io.
#pragma once

#include <string>

#include "tokensim/v1/spec.pb.h"

namespace tokensim {

[[nodiscard]] std::string SpecDigest(const v1::Spec& resolved);

}  // namespace tokensim
