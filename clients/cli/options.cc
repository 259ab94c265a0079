#include "clients/cli/options.h"

#include <cctype>
#include <charconv>
#include <iostream>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "clients/cli/printable.h"
#include "clients/cli/talk.h"
#include "engine/base/nearest.h"
#include "google/protobuf/descriptor.h"

namespace tokensim::cli {

namespace {

const std::map<std::string, Format> kFormatNames = {
    {"table", Format::kTable}, {"json", Format::kJson}, {"csv", Format::kCsv}};

std::string KeyValueError(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals != std::string::npos && equals > 0) return "";
  return "'" + text + "' is not of the form name=value";
}

}  // namespace

CLI::Validator WholeNumber(int64_t max) {
  const auto check = [max](const std::string& text) -> std::string {
    int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [read, error] = std::from_chars(text.data(), end, value);
    const bool number = read == end && error != std::errc::invalid_argument;
    if (number && error == std::errc() && value >= 0 && value <= max) return "";
    const bool too_large = number && !text.starts_with('-');
    return "expected a whole number from 0" + (too_large ? " to " + std::to_string(max) : "") +
           "; got '" + text + "'";
  };
  return CLI::Validator(check, "");
}

CLI::Validator RealNumber(std::string expected, std::function<bool(double)> good) {
  const auto check = [expected = std::move(expected),
                      good = std::move(good)](const std::string& text) -> std::string {
    double value = 0;
    if (absl::SimpleAtod(text, &value) && good(value)) return "";
    return "expected " + expected + "; got '" + text + "'";
  };
  return CLI::Validator(check, "");
}

void AddFormatOption(CLI::App* command, Format* format, const std::vector<Format>& formats) {
  *format = formats.front();
  std::vector<std::string> names;
  std::string list;
  for (const Format each : formats) {
    for (const auto& [name, value] : kFormatNames) {
      if (value == each) names.push_back(name);
    }
    list += (list.empty() ? "" : "|") + names.back();
  }
  command
      ->add_option_function<std::string>(
          "-o,--output", [format](const std::string& name) { *format = kFormatNames.at(name); },
          "Format of stdout; default: the first")
      ->option_text(list)
      ->check(CLI::IsMember(names).description(""));
}

void AddTalkOptions(CLI::App* command, TalkOptions* options) {
  command->add_flag("-q,--quiet", options->quiet, "Nothing on stderr but errors and findings");
  command->add_flag("--no-progress", options->no_progress, "No progress bar");
}

void AddServerOptions(CLI::App* command, ServerOptions* options) {
  command->add_option("--server", options->server, "Server to talk to [$TOKENSIM_SERVER]")
      ->envname("TOKENSIM_SERVER")
      ->option_text("ADDR=" + std::string(kDefaultServer));
  command
      ->add_option("--max-wait", options->max_wait_seconds,
                   "How long to retry when the server is away or busy")
      ->check(RealNumber("seconds from 0 to 86400", [](double s) { return s >= 0 && s <= 86'400; }))
      ->option_text("SECONDS=5");
}

client::ClientOptions ToClientOptions(const ServerOptions& server, bool quiet) {
  client::ClientOptions options;
  options.server = server.server;
  options.max_wait = std::chrono::milliseconds(static_cast<int64_t>(server.max_wait_seconds * 1e3));
  if (!quiet) {
    auto told = std::make_shared<bool>(false);
    options.on_retry = [told, address = server.server](const client::Error& error) {
      if (std::exchange(*told, true)) return;
      std::cerr << "tokensim: waiting for " << address << ": " << PrintableLines(error.message)
                << '\n';
    };
  }
  return options;
}

void AddSpecOptions(CLI::App* command, SpecOptions* options) {
  command->add_option("SPEC", options->file, "YAML file; - for standard input")
      ->required()
      ->option_text(" ");
  AddOverrideOptions(command, options);
}

void AddOverrideOptions(CLI::App* command, SpecOptions* options) {
  command
      ->add_option("--set", options->sets,
                   "Set a field: workers.gpu.count=4, model=llama2-13b, "
                   "workers[0].hardware.memory_bytes=x2 (repeatable)")
      ->allow_extra_args(false)
      ->check(CLI::Validator(KeyValueError, ""))
      ->option_text("PATH=VALUE");
  command->add_option("--seed", options->seed, "Seed of the run; default: the spec's, else 0")
      ->check(WholeNumber())
      ->option_text("N");
}

void AddCreateOptions(CLI::App* command, CreateOptions* options) {
  command->add_option("--id", options->simulation_id, "Name of the simulation on the server")
      ->option_text("ID");
  command->add_option("--labels", options->labels, "Labels on the server (repeatable)")
      ->allow_extra_args(false)
      ->delimiter(',')
      ->check(CLI::Validator(KeyValueError, ""))
      ->option_text("KEY=VALUE,...");
  AddServerFilesOption(command, &options->server_files);
}

CLI::Option* AddServerFilesOption(CLI::App* command, bool* server_files) {
  return command->add_flag(
      "--server-files", *server_files,
      "Files in the spec are below the server's --data-dir: send their names only");
}

CLI::Option* AddKindsOption(CLI::App* command, std::vector<std::string>* kinds) {
  return command->add_option("--kinds", *kinds, "Only these kinds of events")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("KIND,...");
}

bool SetKinds(const std::vector<std::string>& kinds, v1::EventFilter* filter) {
  for (const std::string& kind : kinds) {
    std::string name = "EVENT_KIND_";
    for (const char c : kind)
      name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    v1::EventKind value = v1::EVENT_KIND_UNSPECIFIED;
    if (!v1::EventKind_Parse(name, &value) || value == v1::EVENT_KIND_UNSPECIFIED) {
      std::vector<std::string> names;
      for (int i = v1::EVENT_KIND_UNSPECIFIED + 1; i < v1::EventKind_descriptor()->value_count();
           ++i) {
        const std::string& full = v1::EventKind_descriptor()->value(i)->name();
        names.push_back(absl::AsciiStrToLower(full.substr(std::string("EVENT_KIND_").size())));
      }
      PrintError("--kinds: unknown kind " + Quote(kind) + DidYouMean(kind, names) +
                 "; `tokensim events --help` lists them");
      return false;
    }
    filter->add_kinds(value);
  }
  return true;
}

void AddResultOptions(CLI::App* command, ResultOptions* options) {
  static constexpr char kVllmBench[] = "vllm-bench";
  command
      ->add_option_function<std::string>(
          "-o,--output",
          [options](const std::string& name) {
            options->vllm_bench = name == kVllmBench;
            if (!options->vllm_bench) options->format = kFormatNames.at(name);
          },
          "Format of stdout; default: the first. vllm-bench: the JSON of `vllm bench serve`")
      ->option_text("table|json|csv|vllm-bench")
      ->check(CLI::IsMember({"table", "json", "csv", kVllmBench}).description(""));
  command->add_option("--requests", options->requests_file, "Write one row per request")
      ->option_text("FILE.csv|.jsonl");
  CLI::Option* events =
      command->add_option("--events", options->events_file, "Write the events, one JSON per line")
          ->option_text("FILE.jsonl");
  AddKindsOption(command, &options->kinds)->needs(events);
  command
      ->add_option("--assert", options->assertions,
                   "Exit with 4 unless it holds, as 'ttft.p99 <= 500ms' (repeatable)")
      ->allow_extra_args(false)
      ->option_text("EXPR");
  command->add_option("--junit", options->junit_file, "Write the assertions as a JUnit report")
      ->option_text("FILE.xml");
}

void AddNameOption(CLI::App* command, std::string* name) {
  command->add_option("NAME", *name, "Simulation, as printed by submit; the last part is enough")
      ->required()
      ->option_text(" ");
}

std::string FullName(const std::string& name) {
  return name.find('/') == std::string::npos ? "tenants/default/simulations/" + name : name;
}

}  // namespace tokensim::cli
