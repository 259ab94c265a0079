// Results by plain GET, for curl, spreadsheets and links:
//
//   /v1/tenants/TENANT/simulations/ID/FILE, or /v1/simulations/ID/FILE of the default tenant:
//     events.jsonl    every event; a query names a part (event_query.h)
//     requests.csv    one row per request; requests.jsonl the same in JSON
//     trace.pftrace   for https://ui.perfetto.dev; a query names a part
//     report.json     the report
//   /v1/descriptor.pb   the schema, as a google.protobuf.FileDescriptorSet
//
// They are methods of the API in other clothes, with its limits, errors and counters; long ones are
// computed as fast as they are read. Thread-safe; never blocks.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/api/api.h"
#include "server/http/exchange.h"

namespace tokensim::http {

class Downloads {
 public:
  explicit Downloads(const Api& api);  // outlives the exchanges

  // "/v1/..." whether there is such a file or not.
  [[nodiscard]] static bool Owns(std::string_view path);
  void Serve(const std::shared_ptr<Exchange>& exchange) const;

 private:
  void ServeReport(const std::shared_ptr<Exchange>& exchange, const std::string& name) const;
  // False: there is no such file.
  bool ServeEvents(const std::shared_ptr<Exchange>& exchange, const std::string& name,
                   std::string_view file) const;

  const Api& api_;
  const std::string schema_;
};

}  // namespace tokensim::http
