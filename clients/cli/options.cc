#include "clients/cli/options.h"

#include <cctype>
#include <charconv>
#include <iostream>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
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

namespace {

// -o with any of the names, which are told in their order.
void AddOutputOption(CLI::App* command, const std::vector<std::string>& names,
                     const std::string& description,
                     const std::function<void(const std::string&)>& take) {
  command->add_option_function<std::string>("-o,--output", take, description)
      ->option_text(absl::StrJoin(names, "|"))
      ->check(CLI::IsMember(names).description(""));
}

}  // namespace

void AddFormatOption(CLI::App* command, Format* format, const std::vector<Format>& formats) {
  *format = formats.front();
  std::vector<std::string> names;
  for (const Format each : formats) {
    for (const auto& [name, value] : kFormatNames) {
      if (value == each) names.push_back(name);
    }
  }
  AddOutputOption(command, names, "Format of stdout; default: the first",
                  [format](const std::string& name) { *format = kFormatNames.at(name); });
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

void AddSelectionOptions(CLI::App* command, EventSelection* selection) {
  command->add_option("--workers", selection->workers, "Only events of these workers")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("N,...");
  command->add_option("--requests", selection->requests, "Only events of these request ids")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("ID,...");
  command->add_option("--sample", selection->sample, "Only this share of the requests, whole")
      ->check(
          RealNumber("a number above 0 and at most 1", [](double s) { return s > 0 && s <= 1; }))
      ->option_text("FRACTION");
}

void SetSelection(const EventSelection& selection, v1::EventFilter* filter) {
  filter->mutable_workers()->Assign(selection.workers.begin(), selection.workers.end());
  if (selection.requests.empty() && !selection.sample) return;
  v1::RequestSelector* selector = filter->mutable_requests();
  selector->mutable_ids()->Assign(selection.requests.begin(), selection.requests.end());
  if (selection.sample) selector->set_sample_fraction(*selection.sample);
}

namespace {

std::vector<std::string> ReportFormatNames() {
  std::vector<std::string> names;
  for (const ReportFormat& format : kReportFormats) names.emplace_back(format.name);
  return names;
}

}  // namespace

void AddReportFormatOption(CLI::App* command, const ReportFormat** format) {
  AddOutputOption(command, ReportFormatNames(), "Format of stdout; default: the first",
                  [format](const std::string& name) { *format = FindReportFormat(name); });
}

void AddResultOptions(CLI::App* command, ResultOptions* options) {
  std::vector<std::string> names = ReportFormatNames();
  for (const BenchOutput& bench : kBenchOutputs) names.emplace_back(bench.name);
  AddOutputOption(command, names,
                  "Format of stdout; default: the first. vllm-bench, guidellm: the JSON of those "
                  "load generators",
                  [options](const std::string& name) {
                    options->bench = FindBenchWriter(name);
                    if (options->bench == nullptr) options->format = FindReportFormat(name);
                  });
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
  command
      ->add_option("--summary", options->summary_file,
                   "Append report and assertions as Markdown, as to $GITHUB_STEP_SUMMARY")
      ->option_text("FILE.md");
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
