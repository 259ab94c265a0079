// Records and their parts as bytes, for stores that keep them on disk.
//
// Small things are a v1::Simulation without spec and report, so what an older release wrote is read
// like any protobuf message. Specs and reports are protobuf messages compressed by zstd.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/store/store.h"

namespace tokensim {

// All but order, revision, request_id, request_digest, spec and report.
[[nodiscard]] std::string EncodeRecord(const SimulationRecord& record);
// DATA_LOSS when it is none. The fields that EncodeRecord leaves out stay as they are.
[[nodiscard]] absl::Status DecodeRecord(std::string_view bytes, SimulationRecord* record);

[[nodiscard]] std::string CompressMessage(const google::protobuf::MessageLite& message);
// DATA_LOSS when it is none, or of more than 2 GiB.
[[nodiscard]] absl::Status DecompressMessage(std::string_view bytes,
                                             google::protobuf::MessageLite* message);

}  // namespace tokensim
