// `tokensim events`: the events of a simulation, one JSON per line.
#include <cctype>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "clients/cli/commands.h"
#include "clients/cli/json.h"
#include "clients/cli/options.h"
#include "clients/cli/remote_session.h"
#include "clients/cli/talk.h"
#include "google/protobuf/descriptor.h"

namespace tokensim::cli {

namespace {

constexpr char kExamples[] = R"(Examples:
  tokensim events nightly-17 > events.jsonl
  tokensim events nightly-17 --after 120000 >> events.jsonl      go on where a file ended
  tokensim events nightly-17 --kinds request_finished,request_rejected
  tokensim events nightly-17 --requests 17,18 --workers 0)";

// The names that --kinds takes are those of the enumeration.
std::string Footer() {
  std::string text = std::string(kExamples) + "\nKinds:";
  size_t line = text.size();  // where it begins
  const google::protobuf::EnumDescriptor* kinds = v1::EventKind_descriptor();
  for (int i = v1::EVENT_KIND_UNSPECIFIED + 1; i < kinds->value_count(); ++i) {
    std::string kind = kinds->value(i)->name().substr(std::string("EVENT_KIND_").size());
    for (char& c : kind) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    kind += i + 1 < kinds->value_count() ? ',' : '.';
    if (text.size() - line + kind.size() > 78) {
      line = text.size() + 1;
      text += "\n ";
    }
    text += ' ' + kind;
  }
  return text;
}

struct EventsOptions {
  std::string name;
  int64_t after = 0;
  int64_t until = 0;
  std::vector<std::string> kinds;
  EventSelection selection;
  ServerOptions server;
  TalkOptions talk;
};

ExitCode RunEvents(const EventsOptions& options) {
  v1::StreamEventsRequest request;
  request.set_name(FullName(options.name));
  request.set_after_sequence(options.after);
  request.set_until_sequence(options.until);
  v1::EventFilter* filter = request.mutable_filter();
  if (!SetKinds(options.kinds, filter)) return ExitCode::kUsage;
  SetSelection(options.selection, filter);
  std::ios::sync_with_stdio(false);
  RemoteSession session(options.server, options.talk);
  const auto stream = session.client.StreamEvents(request);
  std::string line;
  for (v1::EventBatch batch; std::cout && stream->Next(&batch); std::cout.flush()) {
    for (const v1::Event& event : batch.events()) {
      ToJson(event, JsonStyle::kLine, &line);
      std::cout << line << '\n';
    }
  }
  if (!std::cout) return ExitCode::kRunFailed;
  if (!stream->error()) return ExitCode::kOk;
  if (session.interrupt.requested()) {
    std::cerr << "\ntokensim: interrupted; --after " << stream->covered_through()
              << " goes on from here\n";
    return ExitCode::kInterrupted;
  }
  return PrintServerError(*stream->error(), session.server);
}

}  // namespace

void AddEventsCommand(CLI::App& app, ExitCode* exit_code) {
  auto options = std::make_shared<EventsOptions>();
  CLI::App* command =
      app.add_subcommand("events", "Print the events of a simulation as JSON lines");
  command->footer(Footer());
  AddNameOption(command, &options->name);
  command->add_option("--after", options->after, "Start behind this sequence number")
      ->check(WholeNumber())
      ->option_text("N");
  command->add_option("--until", options->until, "Last sequence number; 0: to the end")
      ->check(WholeNumber())
      ->option_text("N");
  AddKindsOption(command, &options->kinds);
  AddSelectionOptions(command, &options->selection);
  AddServerOptions(command, &options->server);
  AddTalkOptions(command, &options->talk);
  command->callback([options, exit_code] { *exit_code = RunEvents(*options); });
}

}  // namespace tokensim::cli
