// Arrivals, lengths, traces, conversations and client classes as the engine's plain structs.
#include <algorithm>
#include <utility>

#include "engine/io/plan/resolve.h"
#include "engine/run/plan.h"

namespace tokensim {
namespace {

QuantileTable ToTable(const v1::QuantileTable& table) {
  return {{table.probabilities().begin(), table.probabilities().end()},
          {table.values().begin(), table.values().end()}};
}

LengthDistribution ToDistribution(const v1::LengthDistribution& d) {
  switch (d.distribution_case()) {
    case v1::LengthDistribution::kUniform:
      return UniformLength{d.uniform().min(), d.uniform().max()};
    case v1::LengthDistribution::kLognormal:
      return LogNormalLength{d.lognormal().median(), d.lognormal().sigma(), d.lognormal().min(),
                             d.lognormal().max()};
    case v1::LengthDistribution::kPoisson:
      return PoissonLength{d.poisson().mean(), d.poisson().min(), d.poisson().max()};
    case v1::LengthDistribution::kQuantiles:
      return ToTable(d.quantiles());
    default:
      return FixedLength{d.fixed()};
  }
}

// Absent where every class has lengths of its own: then never used.
Lengths ToLengths(const v1::Lengths& lengths) {
  if (lengths.source_case() == v1::Lengths::SOURCE_NOT_SET) return IndependentLengths{};
  if (lengths.has_trace()) return TraceLengths{lengths.trace().resample()};
  if (lengths.has_independent()) {
    return IndependentLengths{ToDistribution(lengths.independent().input()),
                              ToDistribution(lengths.independent().output())};
  }
  JointLengths joint{ToTable(lengths.joint().input()), {}};
  for (const v1::OutputGivenInput& bin : lengths.joint().bins()) {
    joint.bins.push_back({bin.max_input(), ToTable(bin.output())});
  }
  return joint;
}

DurationDistribution ToDuration(const v1::DurationDistribution& d) {
  if (d.has_exponential()) return ExponentialDuration{d.exponential().mean_seconds()};
  if (d.has_uniform()) return UniformDuration{d.uniform().min_seconds(), d.uniform().max_seconds()};
  return FixedDuration{d.fixed_seconds()};
}

PiecewiseArrivals ToPiecewise(const v1::PiecewiseArrival& piecewise) {
  PiecewiseArrivals compiled;
  for (const v1::RateSegment& segment : piecewise.segments()) {
    compiled.segments.push_back({segment.duration_seconds(), segment.start_rate_per_second(),
                                 segment.end_rate_per_second()});
  }
  compiled.repeat = piecewise.repeat();
  return compiled;
}

Arrivals ToArrivals(const v1::Arrival& arrival) {
  switch (arrival.process_case()) {
    case v1::Arrival::kConstant:
      return ConstantArrivals{arrival.constant().rate_per_second()};
    case v1::Arrival::kUniform:
      return UniformArrivals{arrival.uniform().start_seconds(), arrival.uniform().end_seconds()};
    case v1::Arrival::kBurst:
      return BurstArrivals{arrival.burst().size(), arrival.burst().interval_seconds()};
    case v1::Arrival::kTrace:
      return TraceArrivals{arrival.trace().speedup()};
    case v1::Arrival::kGamma:
      return GammaArrivals{arrival.gamma().rate_per_second(), arrival.gamma().cv()};
    case v1::Arrival::kWeibull:
      return WeibullArrivals{arrival.weibull().rate_per_second(), arrival.weibull().cv()};
    case v1::Arrival::kPiecewise:
      return ToPiecewise(arrival.piecewise());
    case v1::Arrival::kClosedLoop:
      return ClosedLoopArrivals{arrival.closed_loop().users(),
                                ToDuration(arrival.closed_loop().think_time()),
                                arrival.closed_loop().ramp_seconds()};
    default:
      return PoissonArrivals{arrival.poisson().rate_per_second()};
  }
}

std::shared_ptr<const TraceTable> ToTraceTable(const v1::TraceRows& rows) {
  auto table = std::make_shared<TraceTable>();
  SimTime time = 0;
  table->arrival.reserve(static_cast<size_t>(rows.arrival_delta_ns_size()));
  for (const int64_t delta : rows.arrival_delta_ns()) table->arrival.push_back(time += delta);
  table->input_tokens.assign(rows.input_tokens().begin(), rows.input_tokens().end());
  table->output_tokens.assign(rows.output_tokens().begin(), rows.output_tokens().end());
  if (rows.hash_ids_size() > 0) {
    table->hash_ids.assign(rows.hash_ids().begin(), rows.hash_ids().end());
    table->hash_begin = {0};
    for (const int32_t count : rows.hash_counts()) {
      table->hash_begin.push_back(table->hash_begin.back() + count);
    }
    table->hash_block_tokens = rows.hash_block_tokens();
  }
  table->conversation.assign(rows.conversation().begin(), rows.conversation().end());
  return table;
}

ConversationConfig ToConversations(const v1::Conversations& conversations) {
  ConversationConfig config;
  config.single_turn_share = conversations.single_turn_share();
  config.min_turns = conversations.min_turns();
  config.max_turns = conversations.max_turns();
  config.think_time = ToDuration(conversations.think_time());
  config.max_context_tokens = conversations.max_context_tokens();
  return config;
}

std::optional<SimTime> Objective(bool present, double seconds) {
  if (!present) return std::nullopt;
  return std::max<SimTime>(1, FromSeconds(seconds));
}

}  // namespace

SloPlan CompileSlo(const v1::Slo& slo) {
  return {Objective(slo.has_ttft_seconds(), slo.ttft_seconds()),
          Objective(slo.has_tpot_seconds(), slo.tpot_seconds()),
          Objective(slo.has_max_itl_seconds(), slo.max_itl_seconds()),
          Objective(slo.has_e2e_seconds(), slo.e2e_seconds())};
}

std::vector<ClassPlan> CompileClasses(const v1::Spec& resolved) {
  std::vector<ClassPlan> classes;
  for (const v1::ClientClass& client : resolved.workload().classes()) {
    v1::Slo slo = resolved.slo();
    slo.MergeFrom(client.slo());  // what the class states replaces the spec's, field by field
    classes.push_back({client.name(), client.priority(), CompileSlo(slo)});
  }
  return classes;
}

Workload CompileWorkload(const v1::Workload& workload) {
  Workload compiled;
  compiled.num_requests = workload.num_requests();
  if (workload.has_duration_seconds()) {
    compiled.duration = std::max<SimTime>(1, FromSeconds(workload.duration_seconds()));
  }
  compiled.arrivals = ToArrivals(workload.arrival());
  compiled.lengths = ToLengths(workload.lengths());
  if (workload.has_trace()) compiled.trace = ToTraceTable(workload.trace().rows());
  if (workload.has_conversations()) {
    compiled.conversations = ToConversations(workload.conversations());
  }
  if (workload.has_prefix_groups()) {
    const v1::PrefixGroups& groups = workload.prefix_groups();
    compiled.prefix_groups = PrefixGroupConfig{groups.groups(), groups.tokens(), groups.zipf()};
  }
  compiled.max_in_flight = workload.max_in_flight();
  for (const v1::ClientClass& client : workload.classes()) {
    compiled.classes.push_back({client.share(), std::nullopt});
    if (client.has_lengths()) compiled.classes.back().lengths = ToLengths(client.lengths());
  }
  return compiled;
}

}  // namespace tokensim
