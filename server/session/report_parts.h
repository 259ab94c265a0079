// A report cut into parts that fit in messages.
//
//   int64_t position = 0;
//   do {
//     report.MergeFrom(PartOf(whole, max_bytes, &position));
//   } while (position != 0);
//
// The first part has everything but the client classes, the links and the workers; those follow in
// this order, as many in a part as fit. Functions without state.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tokensim/v1/report.pb.h"

namespace tokensim {

// How many positions a report has: a position is in 0 .. PositionsOf - 1.
[[nodiscard]] int64_t PositionsOf(const v1::Report& report);

// The part at `position`, which moves to the next part, or to 0 after the last. A part has at most
// about `max_bytes`, and always at least one element.
[[nodiscard]] v1::Report PartOf(const v1::Report& report, size_t max_bytes, int64_t* position);

}  // namespace tokensim
