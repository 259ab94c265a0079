// Finds the files a spec names: traces, profile bundles, calibrations. Internal to engine/io.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/io/plan/prepare.h"

namespace tokensim {

// The file or directory a spec means, if the policy allows it; `kind` as in "trace file". Says the
// same of what is outside as of what is not there, so that nobody learns what is.
[[nodiscard]] absl::StatusOr<std::filesystem::path> LocateFile(const TracePolicy& policy,
                                                               const std::string& name,
                                                               std::string_view kind,
                                                               bool directory = false);

// What may be told of a failure to read it: without the path and what is quoted of the file, when
// paths are confined. 'x.csv:3: input_tokens is "secret"' must not be a way to read a file.
[[nodiscard]] std::string ReadError(const TracePolicy& policy, const std::filesystem::path& path,
                                    const std::string& name, const absl::Status& status);

}  // namespace tokensim
