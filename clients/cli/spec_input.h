// The specification a command was given: read, overridden, checked, with findings that point to the
// lines of the file.
//
//   SpecInput input;
//   if (ExitCode code = LoadSpec(options, &input); code != ExitCode::kOk) return code;
//   if (!input.prepared.ok()) ...
#pragma once

#include <string>
#include <vector>

#include "clients/cli/exit_code.h"
#include "clients/cli/options.h"
#include "engine/io/plan/prepare.h"
#include "engine/io/yaml/yaml.h"

namespace tokensim::cli {

struct SpecInput {
  std::string file;      // as the user named it
  std::string base_dir;  // of the paths in it
  v1::Spec spec;
  FieldLines lines;
  std::vector<std::string> set_paths;  // fields given by --set
  std::vector<YamlError> errors;       // of what could not be read, of the file and of --set
  PreparedSpec prepared;
};

// Reads the file and applies --set and --seed. What cannot be read becomes one of `errors`, which
// CheckSpec tells together with the rest; not kOk: there is no file. A spec without a name gets that
// of its file.
[[nodiscard]] ExitCode ReadSpec(const SpecOptions& options, SpecInput* input);
// Tells `errors` to stderr. Not kOk: there are some.
[[nodiscard]] ExitCode TellErrors(const SpecInput& input);
// Prepares what was read, which the caller may have changed; errors and findings go to stderr.
[[nodiscard]] ExitCode CheckSpec(bool quiet, SpecInput* input);
// Both. Errors and findings go to stderr. Not kOk: the exit code to end with.
[[nodiscard]] ExitCode LoadSpec(const SpecOptions& options, bool quiet, SpecInput* input);

// "spec.yaml:12: workers[0].hardware: message", or "--set: ..." for a field given there.
[[nodiscard]] std::string FindingText(const SpecInput& input, const v1::Finding& finding);

}  // namespace tokensim::cli
