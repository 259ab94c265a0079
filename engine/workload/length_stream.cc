#include "engine/workload/length_stream.h"

#include "engine/workload/length_registry.h"

namespace tokensim {

LengthStream::LengthStream(const Lengths& lengths, const std::shared_ptr<const TraceTable>& trace,
                           uint64_t seed, std::string_view stream) {
  const LengthSourceContext context{lengths, trace, seed, stream};
  source_ = lengths.source != nullptr ? lengths.source->Make(context)
                                      : LengthSources().Make(kDefaultLengthSource)->Make(context);
}

}  // namespace tokensim
