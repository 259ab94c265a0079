// The events of a simulation as files: JSON lines, tables of requests, Perfetto traces.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/http/stream_answer.h"
#include "tokensim/v1/events.pb.h"

namespace tokensim::http {

using EventFormat = std::unique_ptr<StreamFormat<v1::EventBatch>>;

// What is known of a run only when its stream is opened.
struct RunNames {
  std::vector<std::string> workers;
  std::vector<std::string> classes;
};

// One event per line, as `tokensim events` prints them.
[[nodiscard]] EventFormat EventLines(const std::string& file_name);
// One row per request as `tokensim requests` prints them, but in the order in which they ended. The
// stream is to have the ends of requests only.
enum class TableFormat { kCsv, kJsonLines };
[[nodiscard]] EventFormat RequestRows(const std::string& file_name, TableFormat format,
                                      std::shared_ptr<const RunNames> names);
// As `tokensim trace` writes it.
[[nodiscard]] EventFormat PerfettoTrace(const std::string& file_name,
                                        std::shared_ptr<const RunNames> names);

}  // namespace tokensim::http
