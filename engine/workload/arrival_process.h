// When requests arrive: the interface of arrival processes.
//
// A process gives times that never decrease and saturate at kNever. All draw from the stream
// "arrival" and nothing else, so that whoever asks for times ahead changes nothing. The processes
// are in engine/workload/arrivals, one file each; arrival_registry.h finds them by name.
// docs/workloads.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/base/registry.h"
#include "engine/base/time.h"
#include "engine/workload/workload.h"

namespace tokensim {

inline constexpr const char kArrivalStream[] = "arrival";

class ArrivalProcess {
 public:
  virtual ~ArrivalProcess() = default;
  // The next times, in order. Called for many at once, because it runs for every request.
  virtual void Fill(std::span<SimTime> times) = 0;
  // About how many requests arrive in [0, seconds). Never asked of a process of users.
  [[nodiscard]] virtual double ExpectedWithin(double seconds) const = 0;
  // How long a time between two rows of the trace takes in this traffic.
  [[nodiscard]] virtual SimTime TraceGap(SimTime gap) const { return gap; }
};

// A process written as `SimTime Next()`, which Fill then calls inline:
//
//   class Steady final : public NextByNext<Steady> { public: SimTime Next() { ... } };
template <typename Process>
class NextByNext : public ArrivalProcess {
 public:
  void Fill(std::span<SimTime> times) final {
    auto& process = static_cast<Process&>(*this);
    for (SimTime& time : times) time = process.Next();
  }
};

// What a specification says of the traffic, for checks of parameters.
struct Traffic {
  int64_t requests = 0;      // 0: not known
  bool endless = false;      // until workload.duration_seconds; there is no number of requests
  int64_t trace_rows = 0;    // 0: not known
  bool trace_times = false;  // the rows have them
  double trace_seconds = 0;  // from the first row to the last
};

struct ArrivalProblem {
  std::string parameter;  // "": the process as a whole
  std::string message;
  bool warning = false;
};

// What others must know of a process. Functions may be left out.
struct ArrivalTraits {
  bool from_trace = false;  // requests arrive as the rows of the trace do
  // Of a closed loop: how many users take turns. The process then says when each of them begins.
  int64_t (*users)(const ParameterValues& values) = nullptr;
  // Sets what depends on the traffic when it is left out.
  void (*complete)(const Traffic& traffic, ParameterValues* values) = nullptr;
  // Checks values that are good one by one.
  std::vector<ArrivalProblem> (*check)(const ParameterValues& values,
                                       const Traffic& traffic) = nullptr;
};

// Needed only until the process is made.
struct ArrivalContext {
  const Workload& workload;
  uint64_t seed = 0;
  std::span<const int64_t> rows = {};  // of the trace, those whose times count; empty: all
};

class ArrivalFactory : public PolicyFactory<ArrivalProcess, ArrivalTraits, ArrivalContext> {
 public:
  using PolicyFactory::PolicyFactory;

  // 0: an open loop.
  [[nodiscard]] int64_t users() const {
    return traits().users == nullptr ? 0 : traits().users(values());
  }
};
using ArrivalEntry = PolicyEntry<ArrivalFactory>;
using ArrivalRegistry = PolicyRegistry<ArrivalFactory>;

}  // namespace tokensim
