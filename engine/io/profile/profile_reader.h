// Reads a profile bundle: the measurements of one model on one GPU and tensor parallelism.
//
//   auto tables = ReadProfile("profiles/RTXPRO6000/meta-llama/Llama-3.1-8B/bf16/tp1");
//
//   dense.csv         layer,tokens,time_us
//   per_sequence.csv  layer,sequences,time_us                     (optional)
//   attention.csv     prefill_chunk,kv_prefill,n_decode,kv_decode,time_us
//   moe.csv           tokens,activated_experts,time_us            (optional)
//   skew.csv          n,nb,pc,alpha among others                  (optional)
//   ../meta.yaml      skew_fit.enabled: whether to use skew.csv   (optional)
//
// Comma-separated with a header; columns in any order, others are ignored (docs/profiles.md). The
// source is the last folders of the path. Thread-safe.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "engine/compute/profile/profile_tables.h"

namespace tokensim {

// Errors name file, line and column. Whether the figures make sense: CheckProfile.
[[nodiscard]] absl::StatusOr<ProfileTables> ReadProfile(const std::string& directory);

}  // namespace tokensim
