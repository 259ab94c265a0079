// Times of operators as measured on a GPU: the columns of a profile bundle (docs/profiles.md).
//
// Microseconds of one call, one layer, on one device of the worker. Rows in any order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tokensim {

// Operators by rows: tokens of the batch, or sequences.
struct OperatorTimesTable {
  std::vector<std::string> layers;
  std::vector<int32_t> layer;  // index in layers
  std::vector<int32_t> size;   // >= 1
  std::vector<float> microseconds;
};

// One layer's attention in an iteration with at most one chunk of a prompt, after `kv_prefill`
// tokens of history, and `n_decode` sequences that each attend to `kv_decode` tokens.
struct AttentionTimesTable {
  std::vector<int32_t> prefill_chunk;
  std::vector<int32_t> kv_prefill;
  std::vector<int32_t> n_decode;
  std::vector<int32_t> kv_decode;
  std::vector<float> microseconds;

  [[nodiscard]] size_t size() const { return microseconds.size(); }
};

// The whole block of experts of one rank.
struct MoeTimesTable {
  std::vector<int32_t> tokens;
  std::vector<int32_t> activated_experts;
  std::vector<float> microseconds;

  [[nodiscard]] size_t size() const { return microseconds.size(); }
};

// Decodes with unequal contexts: t_mean + alpha (t_max - t_mean), by the sizes of the batch.
struct SkewTable {
  std::vector<int32_t> prefill_chunk;
  std::vector<int32_t> n_decode;
  std::vector<float> alpha;

  [[nodiscard]] size_t size() const { return alpha.size(); }
};

struct ProfileTables {
  std::string source;
  OperatorTimesTable dense;         // by tokens
  OperatorTimesTable per_sequence;  // by sequences
  AttentionTimesTable attention;
  MoeTimesTable moe;  // empty: a dense model
  SkewTable skew;     // empty: not measured
  bool use_skew = true;  // what the bundle itself says
};

}  // namespace tokensim
