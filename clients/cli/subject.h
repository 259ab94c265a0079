// A result that a command was given by name: a report in a file, a specification to run, or a
// simulation.
//
//   absl::StatusOr<Subject> subject = LoadSubject("before.json", options);
//
//   report.json        what `tokensim run -o json` or `tokensim report -o json` wrote
//   simulation.json    what `tokensim get -o json` wrote: the report and the specification
//   spec.yaml          is run in this process
//   nightly-17         on the server; when there is no file of that name
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "clients/cli/options.h"
#include "tokensim/v1/report.pb.h"
#include "tokensim/v1/spec.pb.h"

namespace tokensim::cli {

struct Subject {
  std::string name;              // as it was given
  v1::Report report;             // without `execution`
  std::optional<v1::Spec> spec;  // resolved; nothing: the file has a report only
  std::string engine_version;
  std::string base_dir;  // of the paths in the specification
};

// NOT_FOUND, INVALID_ARGUMENT, UNAVAILABLE, CANCELLED (`stop`), with the name in the message.
[[nodiscard]] absl::StatusOr<Subject> LoadSubject(const std::string& name,
                                                  const ServerOptions& server, bool quiet,
                                                  const std::function<bool()>& stop);

}  // namespace tokensim::cli
