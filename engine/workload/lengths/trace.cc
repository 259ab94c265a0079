// The pairs of the trace: row i for request i, wrapping around, or rows drawn with replacement.
#include "engine/workload/length_source.h"

namespace tokensim {
namespace {

class TraceRows final : public LengthSource {
 public:
  TraceRows(const LengthSourceContext& context, bool resample)
      : rng_(context.seed, context.stream), trace_(context.trace), resample_(resample) {
    TOKENSIM_INVARIANT(trace_ != nullptr && trace_->size() > 0, "lengths from an empty trace");
  }

  void Fill(std::span<LengthDraw> draws) override {
    for (LengthDraw& draw : draws) {
      const size_t row = NextRow();
      draw = {trace_->input_tokens[row], trace_->output_tokens[row], static_cast<int64_t>(row)};
    }
  }

 private:
  size_t NextRow() {
    const size_t rows = trace_->input_tokens.size();
    if (resample_) return rng_.Below(rows);
    const size_t row = row_;
    row_ = row + 1 == rows ? 0 : row + 1;
    return row;
  }

  RngStream rng_;
  std::shared_ptr<const TraceTable> trace_;
  bool resample_;
  size_t row_ = 0;
};

constexpr char kResample[] = "resample";
constexpr Parameter kParameters[] = {
    FlagParameter(kResample, false, "draw rows with replacement, not one after the other")};

}  // namespace

extern constinit const LengthSourceEntry kTraceLengths = {
    {.name = "trace", .description = "the pairs of the trace's rows", .parameters = kParameters},
    {.rows_in_order = [](const ParameterValues& values) { return !values.flag(kResample); }},
    [](const ParameterValues& values) -> LengthSourceFactory::Maker {
      return [resample = values.flag(kResample)](const LengthSourceContext& context) {
        return std::make_unique<TraceRows>(context, resample);
      };
    }};

}  // namespace tokensim
