#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "engine/compute/profile/profile_pricer.h"

namespace tokensim {
namespace {

constexpr double kMaxMicroseconds = 1e9;

absl::Status CheckSizes(const char* column, const std::vector<int32_t>& sizes, size_t rows,
                        int32_t least) {
  if (sizes.size() != rows) {
    return absl::InvalidArgumentError(
        absl::StrCat(column, " has ", sizes.size(), " rows, time_us ", rows));
  }
  for (size_t i = 0; i < rows; ++i) {
    if (sizes[i] < least || sizes[i] > 1'000'000'000) {
      return absl::InvalidArgumentError(absl::StrCat(column, " of row ", i + 1, " is ", sizes[i],
                                                     "; it must be at least ", least));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTimes(const std::vector<float>& times) {
  if (times.empty()) return absl::InvalidArgumentError("has no rows");
  for (size_t i = 0; i < times.size(); ++i) {
    if (!(times[i] > 0 && times[i] < kMaxMicroseconds)) {
      return absl::InvalidArgumentError(
          absl::StrCat("time_us of row ", i + 1, " is ", times[i], "; it must be above 0"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckOperators(const OperatorTimesTable& table) {
  absl::Status status = CheckTimes(table.microseconds);
  const size_t rows = table.microseconds.size();
  if (status.ok()) status = CheckSizes("size", table.size, rows, 1);
  if (status.ok()) status = CheckSizes("layer", table.layer, rows, 0);
  if (!status.ok()) return status;
  for (size_t i = 0; i < rows; ++i) {
    if (static_cast<size_t>(table.layer[i]) >= table.layers.size()) {
      return absl::InvalidArgumentError(absl::StrCat("layer of row ", i + 1, " is not in layers"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckAttention(const AttentionTimesTable& table) {
  absl::Status status = CheckTimes(table.microseconds);
  if (status.ok()) status = CheckSizes("prefill_chunk", table.prefill_chunk, table.size(), 0);
  if (status.ok()) status = CheckSizes("kv_prefill", table.kv_prefill, table.size(), 0);
  if (status.ok()) status = CheckSizes("n_decode", table.n_decode, table.size(), 0);
  if (status.ok()) status = CheckSizes("kv_decode", table.kv_decode, table.size(), 0);
  if (!status.ok()) return status;
  std::set<int32_t> chunks;
  std::set<int32_t> alone;
  for (size_t i = 0; i < table.size(); ++i) {
    chunks.insert(table.prefill_chunk[i]);
    if (table.n_decode[i] == 0) alone.insert(table.prefill_chunk[i]);
  }
  if (!chunks.contains(0)) {
    return absl::InvalidArgumentError("has no batch of decodes alone (prefill_chunk 0)");
  }
  if (chunks.size() == 1) return absl::InvalidArgumentError("has no chunk of a prompt");
  for (const int32_t chunk : chunks) {
    if (chunk > 0 && !alone.contains(chunk)) {
      return absl::InvalidArgumentError(
          absl::StrCat("has no chunk of ", chunk, " tokens alone (n_decode 0)"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckMoe(const MoeTimesTable& table) {
  absl::Status status = CheckTimes(table.microseconds);
  if (status.ok()) status = CheckSizes("tokens", table.tokens, table.size(), 1);
  if (status.ok()) {
    status = CheckSizes("activated_experts", table.activated_experts, table.size(), 1);
  }
  return status;
}

absl::Status CheckSkew(const SkewTable& table) {
  absl::Status status = CheckSizes("prefill_chunk", table.prefill_chunk, table.size(), 0);
  if (status.ok()) status = CheckSizes("n_decode", table.n_decode, table.size(), 1);
  if (!status.ok()) return status;
  for (size_t i = 0; i < table.size(); ++i) {
    if (!(table.alpha[i] >= -1 && table.alpha[i] <= 1)) {
      return absl::InvalidArgumentError(
          absl::StrCat("alpha of row ", i + 1, " is ", table.alpha[i], "; it must be in -1..1"));
    }
  }
  return absl::OkStatus();
}

absl::Status In(const char* table, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat(table, ": ", status.message()));
}

int32_t Largest(const std::vector<int32_t>& sizes) {
  return sizes.empty() ? 0 : *std::max_element(sizes.begin(), sizes.end());
}

}  // namespace

absl::Status CheckProfile(const ProfileTables& tables) {
  absl::Status status = In("dense", CheckOperators(tables.dense));
  if (status.ok() && !tables.per_sequence.microseconds.empty()) {
    status = In("per_sequence", CheckOperators(tables.per_sequence));
  }
  if (status.ok()) status = In("attention", CheckAttention(tables.attention));
  if (status.ok() && tables.moe.size() > 0) status = In("moe", CheckMoe(tables.moe));
  if (status.ok() && tables.skew.size() > 0) status = In("skew", CheckSkew(tables.skew));
  return status;
}

ProfileRange RangeOf(const ProfileTables& tables) {
  ProfileRange range;
  range.tokens = Largest(tables.dense.size);
  range.sequences = Largest(tables.per_sequence.size);
  range.context = Largest(tables.attention.kv_decode);
  range.chunk = Largest(tables.attention.prefill_chunk);
  for (size_t i = 0; i < tables.attention.size(); ++i) {
    if (tables.attention.prefill_chunk[i] > 0) {
      range.decodes = std::max(range.decodes, tables.attention.n_decode[i]);
    }
  }
  // Not measured together, or not at all: what they are is added, or the roofline's.
  if (range.decodes == 0) range.decodes = Largest(tables.attention.n_decode);
  if (range.sequences == 0) range.sequences = range.decodes;
  return range;
}

}  // namespace tokensim
