// Runs on a server: submitting, following, collecting the results.
#pragma once

#include <string>

#include "clients/cli/exit_code.h"
#include "clients/cli/options.h"
#include "clients/cli/remote_session.h"
#include "clients/cli/results.h"
#include "clients/cli/spec_input.h"

namespace tokensim::cli {

// Reads the spec of a command that sends it. It is checked here, unless its files are the server's:
// then only the server can. Not kOk: the exit code to end with.
[[nodiscard]] ExitCode LoadSpecToSend(const SpecOptions& spec, const CreateOptions& create,
                                      bool quiet, SpecInput* input);

// What to do about a spec that is too large to be sent, with the reason why it is.
[[nodiscard]] std::string TooLargeText(const v1::Spec& sent, const client::Error& error,
                                       const std::string& server);

// Creates the simulation on the server; errors go to stderr, findings with their lines.
[[nodiscard]] ExitCode Submit(client::Client& client, const SpecInput& input,
                              const CreateOptions& options, const std::string& server,
                              v1::Simulation* created);

// Follows simulation `name` to its end, with progress, then collects its results. Ctrl-C detaches:
// the simulation goes on, and stderr says how to come back.
[[nodiscard]] ExitCode Follow(RemoteSession& session, const std::string& name,
                              const TalkOptions& talk, RunResults* results);

}  // namespace tokensim::cli
