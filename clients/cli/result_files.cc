#include "clients/cli/result_files.h"

#include "absl/strings/ascii.h"
#include "clients/cli/json.h"
#include "clients/cli/options.h"
#include "clients/cli/talk.h"
#include "engine/io/report/encode.h"
#include "engine/report/export.h"

namespace tokensim::cli {

bool ResultFiles::Open(const std::string& requests_file, const std::string& events_file,
                       const std::vector<std::string>& kinds) {
  if (!requests_file.empty() && !requests_file.ends_with(".csv") &&
      !requests_file.ends_with(".jsonl")) {
    PrintError("--requests " + requests_file + ": the name must end in .csv or .jsonl");
    return false;
  }
  if (!SetKinds(kinds, &filter_)) return false;
  for (const std::string& kind : kinds) {
    written_.insert(
        v1::Event::descriptor()->FindFieldByName(absl::AsciiStrToLower(kind))->number());
  }
  if (!kinds.empty() && (!requests_file.empty() || keeps_records_)) {  // whose rows come from these
    filter_.add_kinds(v1::EVENT_KIND_REQUEST_FINISHED);
    filter_.add_kinds(v1::EVENT_KIND_REQUEST_REJECTED);
  }
  return requests_.Open(requests_file) && events_.Open(events_file);
}

void ResultFiles::AddBatch(const v1::EventBatch& batch) {
  for (const v1::Event& event : batch.events()) {
    if (wants_requests()) {
      if (event.has_request_finished()) {
        records_.Add(FromProto(event.request_finished().record()));
      } else if (event.has_request_rejected()) {
        records_.Add(FromProto(event.request_rejected().record()));
      }
    }
    if (wants_events() && (written_.empty() || written_.count(event.body_case()) > 0)) {
      ToJson(event, JsonStyle::kLine, &line_);
      line_ += '\n';
      events_.stream.write(line_.data(), static_cast<std::streamsize>(line_.size()));
    }
  }
}

bool ResultFiles::Close(const v1::Report& report) {
  if (requests_.stream.is_open()) {
    std::vector<std::string> classes;
    for (const v1::ClassReport& client : report.classes()) classes.push_back(client.name());
    if (requests_.path.ends_with(".csv")) {
      WriteRequestsCsv(records_, classes, requests_.stream);
    } else {
      WriteRequestsJsonl(records_, classes, requests_.stream);
    }
  }
  const bool requests_written = requests_.Close();
  return events_.Close() && requests_written;
}

}  // namespace tokensim::cli
