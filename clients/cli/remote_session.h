// A client that Ctrl-C interrupts.
#pragma once

#include "clients/cli/interrupt.h"
#include "clients/cli/options.h"
#include "clients/cpp/client.h"

namespace tokensim::cli {

// Members in order: SIGINT is blocked before the client starts threads, and the interrupt ends
// before the client does.
struct RemoteSession {
  RemoteSession(const ServerOptions& options, const TalkOptions& talk)
      : server(options.server), client(ToClientOptions(options, talk.quiet)) {}

  const BlockedSigint blocked;
  const std::string server;  // address, for messages
  client::Client client;
  const Interrupt interrupt{[this] { client.Interrupt(); }};
};

}  // namespace tokensim::cli
