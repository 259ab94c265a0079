// What every example gives: the report, a row per request, and the stream of events.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "engine/cluster/simulation.h"
#include "engine/io/events/replay_reader.h"
#include "engine/io/plan/test_specs.h"
#include "engine/io/report/encode.h"
#include "engine/report/export.h"
#include "engine/report/report.h"
#include "tests/golden/digest_file.h"

namespace tokensim {
namespace {

namespace fs = std::filesystem;

// Long runs are cut: their first requests show a change as well.
constexpr int64_t kMostRequests = 5'000;

std::string ReportDigest(const Plan& plan, const Results& results) {
  return Fnv1a().Add(ToProto(BuildReport(plan, results)).ShortDebugString()).hex();
}

std::string RowsDigest(const Plan& plan, const Results& results) {
  std::vector<std::string> classes;
  for (const ClassPlan& client : plan.classes) classes.push_back(client.name);
  std::ostringstream rows;
  WriteRequestsCsv(results.records, classes, rows);
  return Fnv1a().Add(rows.str()).hex();
}

std::string EventsDigest(const std::shared_ptr<const Plan>& plan) {
  ReplayReader reader(plan, {});
  v1::EventBatch batch;
  Fnv1a digest;
  for (auto outcome = ReplayReader::Outcome::kYield; outcome != ReplayReader::Outcome::kEnd;) {
    outcome = reader.Read(1'000'000, &batch);
    if (outcome == ReplayReader::Outcome::kFailed) return std::string(reader.status().message());
    for (const v1::Event& event : batch.events()) digest.Add(event.SerializeAsString());
  }
  return digest.hex();
}

TEST(GoldenTest, Examples) {
  DigestFile file("examples.txt");
  for (const auto& entry : fs::directory_iterator(TOKENSIM_EXAMPLES_DIR)) {
    const fs::path& path = entry.path();
    if (path.extension() != ".yaml") continue;
    SCOPED_TRACE(path.filename());
    std::ifstream text(path);
    v1::Spec spec = ParseSpec(std::string(std::istreambuf_iterator<char>(text), {}));
    // The data of measured traces is not everywhere.
    if (!spec.workload().trace().path().empty()) continue;
    if (spec.workload().num_requests() > kMostRequests) {
      spec.mutable_workload()->set_num_requests(kMostRequests);
    }
    const PreparedSpec prepared =
        PrepareSpec(spec, TracePolicy::AnyPath(path.parent_path().string()));
    ASSERT_TRUE(prepared.ok());
    Simulation simulation(prepared.plan);
    while (!simulation.done()) ASSERT_TRUE(simulation.Advance(1'000'000).ok());
    file.Check(path.stem().string(),
               {{"report", ReportDigest(*prepared.plan, simulation.results())},
                {"rows", RowsDigest(*prepared.plan, simulation.results())},
                {"events", EventsDigest(prepared.plan)}});
  }
}

}  // namespace
}  // namespace tokensim
