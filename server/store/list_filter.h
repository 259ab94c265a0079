// The filter and the page token of ListSimulations.
//
// Filter: conditions joined by AND, each `field = value`: `state = RUNNING`, `spec.name = "x"`,
// `labels.team = "infra"`. Values are words or quoted strings ("\"" and "\\" inside).
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/store/store.h"

namespace tokensim {

// INVALID_ARGUMENT naming the field `filter`. An empty text passes everything.
[[nodiscard]] absl::StatusOr<RecordFilter> ParseListFilter(std::string_view text);

// A token stands for "records before `order`" of one query (parent and filter); with another query,
// or altered, it is refused: INVALID_ARGUMENT naming `page_token`. It grants nothing.
[[nodiscard]] std::string MakePageToken(int64_t order, std::string_view query);
[[nodiscard]] absl::StatusOr<int64_t> ParsePageToken(std::string_view token,
                                                     std::string_view query);

}  // namespace tokensim
