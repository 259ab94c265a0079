// The part of a stream of events that a download names in its query:
//
//   ?after=120000&until=130000&kinds=first_token,iteration&workers=0,1&requests=17&from=60&to=90
//
// `from` and `to` are simulated seconds, `sample` a share of the requests. Function without state.
#pragma once

#include "absl/status/status.h"
#include "server/http/target.h"
#include "tokensim/v1/simulation_service.pb.h"

namespace tokensim::http {

// Sets all but the name. INVALID_ARGUMENT names the parameter, also one that does not exist.
[[nodiscard]] absl::Status ReadEventQuery(const Target& target, v1::StreamEventsRequest* request);

}  // namespace tokensim::http
