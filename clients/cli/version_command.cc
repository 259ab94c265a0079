// `tokensim version`: the versions of this binary.
#include <iostream>

#include "clients/cli/commands.h"
#include "engine/base/version.h"

namespace tokensim::cli {

void AddVersionCommand(CLI::App& app, ExitCode* exit_code) {
  CLI::App* command = app.add_subcommand("version", "Print the version");
  command->footer("Results of equal engine versions are equal, byte for byte.");
  command->callback([exit_code] {
    std::cout << "tokensim " << kReleaseVersion << " (engine " << kEngineVersion << ")\n";
    *exit_code = ExitCode::kOk;
  });
}

}  // namespace tokensim::cli
