// The files a run writes: --requests and --events.
//
//   ResultFiles files;
//   if (!files.Open(options)) return ExitCode::kUsage;      // before the run, so nothing is lost
//   for (each batch) files.AddBatch(batch);
//   if (!files.Close(report)) return ExitCode::kRunFailed;
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "clients/cli/output_file.h"
#include "engine/run/results.h"
#include "tokensim/v1/events.pb.h"

namespace tokensim::cli {

class ResultFiles {
 public:
  // Opens those that are named; tells stderr what is wrong with a name. The events file gets events of
  // these kinds; none: of all.
  [[nodiscard]] bool Open(const std::string& requests_file, const std::string& events_file,
                          const std::vector<std::string>& kinds);

  // The records of the requests are wanted without a file, too.
  void KeepRecords() { keeps_records_ = true; }

  [[nodiscard]] bool wants_requests() const { return requests_.stream.is_open() || keeps_records_; }
  [[nodiscard]] bool wants_events() const { return events_.stream.is_open(); }

  // Of the events that the files need, when there is an events file.
  [[nodiscard]] const v1::EventFilter& filter() const { return filter_; }

  // Takes the events for the events file, and the ended requests for the requests file.
  void AddBatch(const v1::EventBatch& batch);
  // All ended requests at once.
  void SetRecords(RequestTable records) { records_ = std::move(records); }
  // In order of completion.
  [[nodiscard]] const RequestTable& records() const { return records_; }

  // Writes what is left; tells stderr when a file is not complete. The report names the classes.
  [[nodiscard]] bool Close(const v1::Report& report);

 private:
  OutputFile requests_;
  OutputFile events_;
  v1::EventFilter filter_;
  std::set<int> written_;  // members of Event that the events file gets; none: all
  RequestTable records_;
  bool keeps_records_ = false;
  std::string line_;
};

}  // namespace tokensim::cli
