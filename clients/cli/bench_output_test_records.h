// Requests for tests of what load generators write.
#pragma once

#include "engine/base/time.h"
#include "engine/run/request_table.h"

namespace tokensim::cli {

inline RequestRecord BenchRecord(int64_t id, double arrival, double first, double finish,
                                 int32_t output) {
  RequestRecord record;
  record.request_id = id;
  record.arrival = FromSeconds(arrival);
  record.first_token = FromSeconds(first);
  record.finish = FromSeconds(finish);
  record.input_tokens = 100 + static_cast<int32_t>(id);
  record.output_tokens = output;
  return record;
}

// In order of completion: the second request ends first, the third was rejected.
inline RequestTable BenchRecords() {
  RequestTable records;
  records.Add(BenchRecord(1, 1, 1.5, 2, 3));
  records.Add(BenchRecord(0, 0, 0.25, 4, 6));
  RequestRecord rejected = BenchRecord(2, 3, 0, 3, 9);
  rejected.first_token = kUnset;
  rejected.reject_reason = RejectReason::kMaxModelLen;
  records.Add(rejected);
  return records;
}

}  // namespace tokensim::cli
