// Parts of large messages, without copying the rest.
//
//   v1::Spec shown;
//   CopyAllBut(spec, {"workload"}, &shown);
//
// Functions without state.
#pragma once

#include <initializer_list>
#include <string_view>

#include "google/protobuf/message.h"

namespace tokensim {

// Merges the fields of `from` into `to`, a message of the same type, except those named.
void CopyAllBut(const google::protobuf::Message& from,
                std::initializer_list<std::string_view> left_out, google::protobuf::Message* to);

}  // namespace tokensim
