// Any bytes, read as a table of a profile bundle, give numbers in equal columns or an error; and
// any sizes and times that pass the check make an attention table that answers.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/compute/profile/attention_table.h"
#include "engine/compute/profile/profile_pricer.h"
#include "engine/io/profile/number_table.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

std::vector<int32_t> Sizes(const std::vector<double>& column) {
  std::vector<int32_t> sizes;
  for (const double value : column) {
    sizes.push_back(static_cast<int32_t>(std::fmin(std::fmax(value, -1), 1e9)));
  }
  return sizes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  const auto dense = tokensim::NumberTable::Parse(content, "fuzz", "layer", {"tokens", "time_us"});
  if (dense.ok()) {
    Require(dense->rows() > 0 && dense->column(1).size() == dense->rows() &&
            dense->text().size() == dense->rows());
  }
  const auto table = tokensim::NumberTable::Parse(
      content, "fuzz", "", {"prefill_chunk", "kv_prefill", "n_decode", "kv_decode", "time_us"},
      tokensim::NumberTable::Blank::kSkip);
  if (!table.ok() || table->rows() > 64) return 0;
  tokensim::ProfileTables tables;
  tables.dense = {{"qkv_proj"}, {0}, {1}, {1.0F}};
  tables.attention = {Sizes(table->column(0)),
                      Sizes(table->column(1)),
                      Sizes(table->column(2)),
                      Sizes(table->column(3)),
                      {table->column(4).begin(), table->column(4).end()}};
  if (!tokensim::CheckProfile(tables).ok()) return 0;
  const tokensim::AttentionTable attention(tables.attention);
  for (const double chunk : {0.0, 1.0, 100.0, 1e6}) {
    for (const double decodes : {0.0, 1.0, 300.0}) {
      const double seconds = attention.Seconds({chunk, 500, decodes, 700});
      Require(std::isfinite(seconds) && seconds >= 0);
    }
  }
  return 0;
}
