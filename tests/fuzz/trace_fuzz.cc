// Any bytes, read as any trace format, give a well-formed table or an error.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/io/trace/trace_reader.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckTable(const tokensim::TraceTable& table) {
  const size_t rows = table.input_tokens.size();
  Require(rows > 0 && table.output_tokens.size() == rows);
  Require(table.arrival.empty() || (table.arrival.size() == rows && table.arrival[0] == 0));
  Require(table.conversation.empty() || table.conversation.size() == rows);
  Require(table.hash_begin.empty() == table.hash_ids.empty());
  Require(table.hash_begin.empty() || (table.hash_begin.size() == rows + 1 &&
                                       table.hash_begin[0] == 0 && table.hash_block_tokens > 0));
  Require(table.hash_begin.empty() ||
          table.hash_begin.back() == static_cast<int64_t>(table.hash_ids.size()));
  for (size_t i = 0; i < rows; ++i) {
    if (!table.hash_begin.empty()) Require(table.hash_begin[i] <= table.hash_begin[i + 1]);
    if (!table.conversation.empty()) Require(table.conversation[i] >= -1);
    Require(table.input_tokens[i] >= 1 && table.output_tokens[i] >= 1);
    if (i > 0 && !table.arrival.empty()) Require(table.arrival[i - 1] <= table.arrival[i]);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view contents(reinterpret_cast<const char*>(data), size);
  const auto parse = [&](const tokensim::TraceFormat* format) {
    const auto table = tokensim::ParseTrace(contents, "fuzz", format, {});
    if (table.ok()) CheckTable(*table);
  };
  parse(nullptr);
  for (const tokensim::TraceFormat& format : tokensim::TraceFormats()) parse(&format);
  return 0;
}
