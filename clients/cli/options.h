// Options that several subcommands share. Plain values, filled in by CLI11.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "clients/cpp/client.h"
#include "tokensim/v1/events.pb.h"
#include "tokensim/v1/simulation.pb.h"

namespace tokensim::cli {

inline constexpr char kDefaultServer[] = "127.0.0.1:50051";

enum class Format { kTable, kJson, kCsv };

// Accepts digits that are a whole number from 0 to `max`.
[[nodiscard]] CLI::Validator WholeNumber(int64_t max = INT64_MAX);
// Accepts the numbers that are `good`; `expected` says which: "a number above 0".
[[nodiscard]] CLI::Validator RealNumber(std::string expected, std::function<bool(double)> good);

// -o. `formats` are those the command has; the first is the default.
void AddFormatOption(CLI::App* command, Format* format, const std::vector<Format>& formats);

struct TalkOptions {
  bool quiet = false;
  bool no_progress = false;
};
void AddTalkOptions(CLI::App* command, TalkOptions* options);

struct ServerOptions {
  std::string server = kDefaultServer;
  double max_wait_seconds = 5;
};
void AddServerOptions(CLI::App* command, ServerOptions* options);
[[nodiscard]] client::ClientOptions ToClientOptions(const ServerOptions& server, bool quiet);

struct SpecOptions {
  std::string file;  // "-": standard input
  std::vector<std::string> sets;
  std::optional<int64_t> seed;
};
void AddSpecOptions(CLI::App* command, SpecOptions* options);
// --set and --seed alone.
void AddOverrideOptions(CLI::App* command, SpecOptions* options);

struct CreateOptions {
  std::string simulation_id;
  std::vector<std::string> labels;  // key=value
  bool server_files = false;        // the files that the spec names are the server's
};
void AddCreateOptions(CLI::App* command, CreateOptions* options);
// --server-files alone.
CLI::Option* AddServerFilesOption(CLI::App* command, bool* server_files);

// --kinds of events. SetKinds tells stderr when one is unknown.
CLI::Option* AddKindsOption(CLI::App* command, std::vector<std::string>* kinds);
[[nodiscard]] bool SetKinds(const std::vector<std::string>& kinds, v1::EventFilter* filter);

// What to do with the results of a run.
struct ResultOptions {
  Format format = Format::kTable;
  bool vllm_bench = false;  // instead of the format: as `vllm bench serve` writes its results
  std::string requests_file;
  std::string events_file;
  std::vector<std::string> kinds;  // of the events in the file; none: all
  std::vector<std::string> assertions;
  std::string junit_file;
};
void AddResultOptions(CLI::App* command, ResultOptions* options);

// NAME of a simulation: full, or its last part in the default tenant.
void AddNameOption(CLI::App* command, std::string* name);
[[nodiscard]] std::string FullName(const std::string& name);

}  // namespace tokensim::cli
