// `tokensim verify`: stored results are run again; the same specification must give the same report.
#include <algorithm>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "clients/cli/commands.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/message_diff.h"
#include "clients/cli/parallel.h"
#include "clients/cli/point_run.h"
#include "clients/cli/printable.h"
#include "clients/cli/progress_bar.h"
#include "clients/cli/search_options.h"
#include "clients/cli/subject.h"
#include "clients/cli/talk.h"
#include "engine/base/version.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim verify nightly-16 nightly-17           simulations of the server
  tokensim get nightly-17 -o json --trace > run.json; tokensim verify run.json
A report is a function of the specification and the engine's version: any difference within a version is
a fault of the engine, or of the machine that ran it. Exits with 1 when there is one.)";

struct VerifyOptions {
  std::vector<std::string> names;
  int threads = 1;
  TableOptions table;
  ServerOptions server;
  TalkOptions talk;
};

struct Verdict {
  bool same = false;
  bool checked = false;  // false: it could not be run again
  std::string version;
  std::string detail;
};

void ClearTimelines(v1::Report* report) {
  for (v1::WorkerReport& worker : *report->mutable_workers()) worker.clear_timeline();
}

Verdict Verify(const VerifyOptions& options, const std::string& name,
               const std::function<bool()>& stop) {
  Verdict verdict;
  absl::StatusOr<Subject> subject = LoadSubject(name, options.server, true, stop);
  if (!subject.ok()) {
    verdict.detail = std::string(subject.status().message());
    return verdict;
  }
  verdict.version = subject->engine_version;
  if (!subject->spec) {
    verdict.detail = "a report without its specification; `tokensim get -o json --trace` has both";
    return verdict;
  }
  const SpecInput input{.base_dir = subject->base_dir};
  PointRun run = RunSpec(input, *subject->spec, stop);
  if (!run.error.empty() || run.stopped) {
    verdict.detail = run.stopped ? "interrupted" : run.error;
    return verdict;
  }
  verdict.checked = true;
  ClearTimelines(&run.report);
  ClearTimelines(&subject->report);
  const std::vector<FieldDifference> found = DiffMessages(subject->report, run.report);
  verdict.same = found.empty();
  if (!found.empty()) {
    verdict.detail = absl::StrCat(found[0].path, ": ", found[0].a, " -> ", found[0].b);
    if (found.size() > 1) absl::StrAppend(&verdict.detail, ", and ", found.size() - 1, " more");
  }
  return verdict;
}

ExitCode RunVerify(const VerifyOptions& options) {
  std::vector<Verdict> verdicts(options.names.size());
  Interrupt interrupt;
  {
    ProgressBar bar(options.talk);
    RunParallel(
        verdicts.size(), options.threads,
        [&](size_t i) {
          verdicts[i] = Verify(options, options.names[i], [&] { return interrupt.requested(); });
        },
        [&](size_t done) {
          bar.Update(static_cast<double>(done) / static_cast<double>(verdicts.size()),
                     absl::StrCat(done, " / ", verdicts.size(), " results"));
        });
  }
  ResultTable table(
      {{.name = "result"}, {.name = "verdict"}, {.name = "engine"}, {.name = "detail"}});
  for (size_t i = 0; i < verdicts.size(); ++i) {
    const Verdict& verdict = verdicts[i];
    const char* word = !verdict.checked ? "not checked" : verdict.same ? "same" : "differs";
    table.AddRow({Cell::Text(options.names[i]), Cell::Text(word), Cell::Text(verdict.version),
                  Cell::Text(verdict.detail)});
  }
  table.Print(options.table.format, std::cout);
  if (interrupt.requested()) {
    PrintError("interrupted");
    return ExitCode::kInterrupted;
  }
  const bool other = std::any_of(verdicts.begin(), verdicts.end(), [](const Verdict& verdict) {
    return verdict.checked && !verdict.same && verdict.version != kEngineVersion;
  });
  if (other && !options.talk.quiet) {
    std::cerr << "tokensim: this engine is version " << kEngineVersion
              << "; results of another version may differ\n";
  }
  const bool all_same = std::all_of(verdicts.begin(), verdicts.end(),
                                    [](const Verdict& verdict) { return verdict.same; });
  return all_same ? ExitCode::kOk : ExitCode::kRunFailed;
}

}  // namespace

void AddVerifyCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* command =
      app.add_subcommand("verify", "Run stored results again; any difference is a fault");
  command->footer(kExamples);
  command->add_option("results", options->names, "Simulations, by file or by name on the server")
      ->required()
      ->option_text("NAME|FILE.json...");
  AddThreadsOption(command, &options->threads);
  AddTableFormatOption(command, &options->table);
  AddServerOptions(command, &options->server);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunVerify(*options); });
}

}  // namespace tokensim::cli
