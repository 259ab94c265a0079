// Runs as benchmark tools write them, request by request. Each format is a file <tool>_format.cc and
// a line in BenchFormats(); what the tools write is described there.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "engine/analysis/measured_run.h"

namespace tokensim::accuracy {

struct BenchFormat {
  const char* tool;
  // Whether the document is of this tool: a JSON document, or the list of the lines of a JSON-lines
  // file.
  bool (*detect)(const nlohmann::json& document);
  // `which`: of a document with several runs; nothing: the only one. INVALID_ARGUMENT begins with
  // the name.
  absl::StatusOr<MeasuredRun> (*read)(const nlohmann::json& document, const std::string& name,
                                      std::optional<size_t> which);
};

extern const BenchFormat kVllmBench;
extern const BenchFormat kGuideLlm;
extern const BenchFormat kInferencePerf;
extern const BenchFormat kAiPerf;

[[nodiscard]] std::span<const BenchFormat* const> BenchFormats();

// Parses a JSON document, or JSON lines; discarded when it is neither.
[[nodiscard]] nlohmann::json ParseBenchDocument(std::string_view contents);
// Null: of no tool known here.
[[nodiscard]] const BenchFormat* FindBenchFormat(const nlohmann::json& document);

}  // namespace tokensim::accuracy
