// Any bytes, read as any trace format, give a well-formed table or an error.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/workload/trace_reader.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckTable(const tokensim::TraceTable& table) {
  const size_t rows = table.input_tokens.size();
  Require(rows > 0 && table.output_tokens.size() == rows);
  Require(table.arrival.empty() || (table.arrival.size() == rows && table.arrival[0] == 0));
  for (size_t i = 0; i < rows; ++i) {
    Require(table.input_tokens[i] >= 1 && table.output_tokens[i] >= 1);
    if (i > 0 && !table.arrival.empty()) Require(table.arrival[i - 1] <= table.arrival[i]);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view contents(reinterpret_cast<const char*>(data), size);
  const auto parse = [&](tokensim::TraceFormat format) {
    const auto table = tokensim::ParseTrace(contents, "fuzz", format, {});
    if (table.ok()) CheckTable(*table);
  };
  parse(tokensim::TraceFormat::kAuto);
  for (const tokensim::TraceFormatInfo& info : tokensim::TraceFormats()) parse(info.format);
  return 0;
}
