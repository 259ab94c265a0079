#include "server/store/record_codec.h"

#include <zstd.h>

#include <new>

namespace tokensim {
namespace {

constexpr int kCompressionLevel = 3;
constexpr unsigned long long kMaxBytes = 1ULL << 31;

void SetTime(WallTime time, google::protobuf::Timestamp* out) { *out = ToTimestamp(time); }

WallTime TimeOf(const google::protobuf::Timestamp& time) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(
      std::chrono::seconds(time.seconds()) + std::chrono::nanoseconds(time.nanos())));
}

}  // namespace

std::string EncodeRecord(const SimulationRecord& record) {
  v1::Simulation out;
  out.set_name(record.name.ToString());
  out.set_uid(record.uid);
  out.set_spec_name(record.spec_name);
  out.set_spec_digest(record.spec_digest);
  out.set_engine_version(record.engine_version);
  out.set_state(record.state);
  SetTime(record.create_time, out.mutable_create_time());
  SetTime(record.start_time, out.mutable_start_time());
  SetTime(record.end_time, out.mutable_end_time());
  SetTime(record.update_time, out.mutable_update_time());
  out.set_attempt(record.attempt);
  *out.mutable_progress() = record.progress;
  out.set_cancel_reason(record.cancel_reason);
  *out.mutable_error() = record.error;
  out.mutable_labels()->insert(record.labels.begin(), record.labels.end());
  return out.SerializeAsString();
}

absl::Status DecodeRecord(std::string_view bytes, SimulationRecord* record) {
  v1::Simulation in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("a stored simulation cannot be read");
  }
  absl::StatusOr<SimulationName> name = ParseSimulationName(in.name());
  if (!name.ok()) return absl::DataLossError("a stored simulation has no name");
  record->name = *std::move(name);
  record->uid = in.uid();
  record->spec_name = in.spec_name();
  record->spec_digest = in.spec_digest();
  record->engine_version = in.engine_version();
  record->state = in.state();
  record->create_time = TimeOf(in.create_time());
  record->start_time = TimeOf(in.start_time());
  record->end_time = TimeOf(in.end_time());
  record->update_time = TimeOf(in.update_time());
  record->attempt = in.attempt();
  record->progress = in.progress();
  record->cancel_reason = in.cancel_reason();
  record->error = in.error();
  record->labels = {in.labels().begin(), in.labels().end()};
  return absl::OkStatus();
}

std::string CompressMessage(const google::protobuf::MessageLite& message) {
  const std::string plain = message.SerializeAsString();
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  const size_t size =
      ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), kCompressionLevel);
  // It has room enough, so only its own working memory can be missing.
  if (ZSTD_isError(size) != 0) throw std::bad_alloc();
  out.resize(size);
  out.shrink_to_fit();
  return out;
}

absl::Status DecompressMessage(std::string_view bytes, google::protobuf::MessageLite* message) {
  const unsigned long long size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size >= kMaxBytes) {
    return absl::DataLossError("a stored part is not as it was written");
  }
  std::string plain(size, '\0');
  const size_t got = ZSTD_decompress(plain.data(), plain.size(), bytes.data(), bytes.size());
  if (got != size || !message->ParseFromString(plain)) {
    return absl::DataLossError("a stored part is not as it was written");
  }
  return absl::OkStatus();
}

}  // namespace tokensim
