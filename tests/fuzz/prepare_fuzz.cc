// Any specification gives findings or a plan; a plan runs, and its resolved specification is
// prepared to the same digest again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/cluster/simulation.h"
#include "engine/io/plan/prepare.h"
#include "engine/io/yaml/yaml.h"

namespace {

using tokensim::PreparedSpec;
using tokensim::PrepareSpec;
using tokensim::TracePolicy;

void Require(bool condition) {
  if (!condition) std::abort();
}

// Time and memory of an input are bounded by the workers it asks for.
bool IsSmall(const tokensim::v1::Spec& spec) {
  int64_t workers = 0;
  for (const auto& group : spec.workers()) workers += group.count();
  return spec.workers_size() < 100 && workers < 1000;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  tokensim::v1::Spec spec;
  if (!tokensim::ParseYaml(text, "fuzz", &spec).empty() || !IsSmall(spec)) return 0;
  const PreparedSpec prepared = PrepareSpec(spec, TracePolicy::NoPaths());
  bool has_error = false;
  for (const auto& finding : prepared.findings) {
    Require(!finding.message().empty() && !finding.reason().empty());
    has_error = has_error || finding.severity() == tokensim::v1::Finding::ERROR;
  }
  Require(prepared.ok() == !has_error);
  if (!prepared.ok()) return 0;
  Require(PrepareSpec(prepared.resolved, TracePolicy::NoPaths()).digest == prepared.digest);
  tokensim::Simulation simulation(prepared.plan);
  Require(simulation.Advance(200).ok());
  return 0;
}
