#include "engine/io/measured/bench_formats.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tokensim::accuracy {

std::span<const BenchFormat* const> BenchFormats() {
  static constexpr const BenchFormat* kFormats[] = {&kVllmBench, &kGuideLlm, &kInferencePerf,
                                                    &kAiPerf};
  return kFormats;
}

nlohmann::json ParseBenchDocument(std::string_view contents) {
  nlohmann::json document = nlohmann::json::parse(contents, nullptr, false);
  if (!document.is_discarded()) return document;
  nlohmann::json lines = nlohmann::json::array();
  while (!contents.empty()) {
    const size_t end = std::min(contents.find('\n'), contents.size());
    const std::string_view line = contents.substr(0, end);
    contents.remove_prefix(std::min(end + 1, contents.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    nlohmann::json value = nlohmann::json::parse(line, nullptr, false);
    if (value.is_discarded()) return value;
    lines.push_back(std::move(value));
  }
  return lines;
}

const BenchFormat* FindBenchFormat(const nlohmann::json& document) {
  for (const BenchFormat* format : BenchFormats()) {
    if (format->detect(document)) return format;
  }
  return nullptr;
}

}  // namespace tokensim::accuracy
