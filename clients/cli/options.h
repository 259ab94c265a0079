// Options that several subcommands share. Plain values, filled in by CLI11.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "clients/cli/bench_output.h"
#include "clients/cli/report_output.h"
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

// Which events are wanted: of which workers, and of which requests. SetSelection needs the options
// to be parsed.
struct EventSelection {
  std::vector<int32_t> workers;
  std::vector<int64_t> requests;
  std::optional<double> sample;
};
void AddSelectionOptions(CLI::App* command, EventSelection* selection);
void SetSelection(const EventSelection& selection, v1::EventFilter* filter);

// -o of a report.
void AddReportFormatOption(CLI::App* command, const ReportFormat** format);

// What to do with the results of a run.
struct ResultOptions {
  const ReportFormat* format = &kReportFormats[0];
  BenchWriter bench = nullptr;  // instead of the format: as a load generator writes its results
  std::string requests_file;
  std::string events_file;
  std::vector<std::string> kinds;  // of the events in the file; none: all
  std::vector<std::string> assertions;
  std::string junit_file;
  std::string summary_file;
};
void AddResultOptions(CLI::App* command, ResultOptions* options);

// NAME of a simulation: full, or its last part in the default tenant.
void AddNameOption(CLI::App* command, std::string* name);
[[nodiscard]] std::string FullName(const std::string& name);

}  // namespace tokensim::cli
