#include "clients/cli/simulation_output.h"

#include <map>
#include <ostream>

#include "clients/cli/text_table.h"
#include "clients/cli/units.h"
#include "google/protobuf/util/time_util.h"

namespace tokensim::cli {

std::string LabelsText(const v1::Simulation& simulation) {
  const std::map<std::string, std::string> sorted(simulation.labels().begin(),
                                                  simulation.labels().end());
  std::string text;
  for (const auto& [key, value] : sorted) text += (text.empty() ? "" : ",") + key + "=" + value;
  return text;
}

void WriteSimulation(const v1::Simulation& simulation, std::ostream& out) {
  using google::protobuf::util::TimeUtil;
  TextTable table({Align::kLeft, Align::kLeft});
  const auto add = [&table](const std::string& key, const std::string& value) {
    if (!value.empty()) table.AddRow({key, value});
  };
  const v1::Progress& progress = simulation.progress();
  add("Name", simulation.name());
  add("State", v1::Simulation::State_Name(simulation.state()));
  add("Error", simulation.error().message());
  add("Cancelled", simulation.cancel_reason());
  add("Spec", simulation.spec_name());
  add("Digest", simulation.spec_digest());
  add("Engine", simulation.engine_version());
  add("Labels", LabelsText(simulation));
  if (simulation.has_create_time()) add("Created", TimeUtil::ToString(simulation.create_time()));
  if (simulation.has_start_time()) add("Started", TimeUtil::ToString(simulation.start_time()));
  if (simulation.has_end_time()) add("Ended", TimeUtil::ToString(simulation.end_time()));
  add("Requests",
      FormatCount(progress.requests_finished()) + " of " + FormatCount(progress.requests_total()));
  add("Simulated", FormatSeconds(progress.simulated_seconds()));
  table.Print(out);
}

}  // namespace tokensim::cli
